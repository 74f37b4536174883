import math

import numpy as np
import pytest
import torch

from sound2scene.losses.localization import classification, contrastive


def slow_contrastive(score: np.ndarray, video: list[int]) -> float:
    losses = []
    for matrix in (score, score.T):
        for own in range(len(matrix)):
            others = [j for j in range(len(matrix)) if j == own or video[j] != video[own]]
            losses.append(math.log(sum(math.exp(matrix[own, j]) for j in others)) - matrix[own, own])
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("videos", "moments"), [(2, 1), (3, 2), (4, 3)])
def test_contrastive_equals_plain_loops_over_moments_of_other_videos(videos: int, moments: int) -> None:
    torch.manual_seed(0)
    count = videos * moments
    score_GG = torch.randn(count, count, dtype=torch.float64)
    video_G = torch.arange(videos).repeat_interleave(moments)
    expected = slow_contrastive(score_GG.numpy(), video_G.tolist())
    assert float(contrastive(score_GG, video_G)) == pytest.approx(expected, rel=1e-12)


def test_contrastive_does_not_look_at_other_moments_of_one_video() -> None:
    score_GG = torch.zeros(4, 4, requires_grad=True)
    contrastive(score_GG, torch.tensor([0, 0, 1, 1])).backward()
    assert score_GG.grad is not None
    assert score_GG.grad[0, 1] == score_GG.grad[1, 0] == score_GG.grad[2, 3] == 0
    assert (score_GG.grad[:2, 2:] > 0).all()


@pytest.mark.costly
def test_scores_at_the_minimum_are_pointwise_mutual_information() -> None:
    # Kind 0 is silence, in most moments; kinds sometimes meet another's sound, so that every score is
    # bounded.
    count_KK = torch.tensor([[30, 3, 3], [3, 6, 1], [3, 1, 6]])
    frame_G, sound_G = count_KK.nonzero().repeat_interleave(count_KK.flatten(), dim=0).unbind(1)
    score_KK = torch.zeros(3, 3, requires_grad=True)
    optimizer = torch.optim.Adam([score_KK], lr=0.05)
    for _ in range(400):
        loss = contrastive(score_KK[frame_G][:, sound_G], torch.arange(len(frame_G)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    share_KK = count_KK / count_KK.sum()
    information_KK = (share_KK / share_KK.sum(1, keepdim=True) / share_KK.sum(0)).log()
    found_KK = score_KK.detach()
    torch.testing.assert_close(
        found_KK - found_KK.mean(), information_KK - information_KK.mean(), rtol=0, atol=0.02
    )
    assert found_KK[0, 0] < found_KK[1, 1] - 0.5


def slow_class_loss(logits: np.ndarray, score: np.ndarray, label: int, instances: str) -> float:
    weight = (
        np.exp(score) / np.exp(score).sum()
        if instances == "attention"
        else np.full(len(score), 1 / len(score))
    )
    video = logits.max(0) if instances == "max" else (weight[:, None] * logits).sum(0)
    return float(np.log(np.exp(video).sum()) - video[label])


@pytest.mark.parametrize("instances", ["attention", "max", "mean"])
def test_classification_equals_plain_loops(instances: str) -> None:
    torch.manual_seed(0)
    logits_BMK, score_BM = torch.randn(3, 4, 5, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    label_B = torch.tensor([4, 0, 2])
    expected = [
        slow_class_loss(logits_BMK[b].numpy(), score_BM[b].numpy(), int(label_B[b]), instances)
        for b in range(3)
    ]
    found = classification(logits_BMK, score_BM, label_B, instances)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-12)


def test_attention_raises_the_score_of_the_moment_that_shows_the_class() -> None:
    logits_BMK = torch.tensor([[[4.0, 0.0], [0.0, 0.0]]])
    score_BM = torch.zeros(1, 2, requires_grad=True)
    classification(logits_BMK, score_BM, torch.tensor([0])).backward()
    assert score_BM.grad is not None
    assert score_BM.grad[0, 0] < 0 < score_BM.grad[0, 1]
