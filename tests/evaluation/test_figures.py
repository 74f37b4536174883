from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sound2scene.evaluation.estimates import Dice, Figure
from sound2scene.evaluation.figures import Asked, Rows, figures_of
from sound2scene.evaluation.networks import Seeing, rows_of
from sound2scene.evaluation.protocol import Network, Protocol
from sound2scene.metrics.generation import GenerationScores
from sound2scene.types import Measured, Scene

N, J, D, K = 40, 2, 6, 4
JUDGE = Network("judge", "judge")


def made(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rows(**found: Tensor) -> Rows:
    return lambda network, part: found.get(f"{network}_{part}")


def asked(label_N: Tensor, real: Rows, scene: Scene | None = None, **protocol: Any) -> Asked:
    whole = Protocol("a test", 8, {"judge": JUDGE}, resamples=5, set_resamples=5, **protocol)
    # The judge knows the classes of the dataset in another order, and one more.
    seeing = {"judge": Seeing(nn.Identity(), "judge_8px", "", torch.tensor([2, 0, 3]))}
    dice = Dice(len(label_N), 0, whole.resamples, whole.set_resamples)
    return Asked(whole, seeing, label_N, scene, real, real, dice)


def by_name(found: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in found}


ALL_N = torch.ones(N, dtype=torch.bool)
LABEL_N = torch.arange(N) % 3
FEATURE, SCORES = made(0, N, J, D), made(1, N, J, K)
REAL = made(2, N, 1, D)


def test_class_recall_is_the_share_of_pictures_whose_class_is_among_the_k_best() -> None:
    label_N = LABEL_N.clone()
    label_N[:5] = -1
    found = by_name(
        figures_of(
            asked(label_N, rows(), classes=["judge"], class_ks=(1, 2)), rows(judge_scores=SCORES), ALL_N
        )
    )
    columns = [2, 0, 3]
    for k in (1, 2):
        right = []
        for clip in range(5, N):
            for draw in range(J):
                scores = SCORES[clip, draw, columns].numpy()
                right.append(int(label_N[clip]) in np.argsort(-scores)[:k])
        assert found[f"class recall at {k}"].value == pytest.approx(np.mean(right))
        assert found[f"class recall at {k}"].items == N - 5


def test_instance_recall_asks_for_the_real_picture_of_the_own_clip() -> None:
    near = REAL + 0.01 * FEATURE
    order = asked(LABEL_N, rows(judge_feature=REAL), instances=["judge"])
    right = by_name(figures_of(order, rows(judge_feature=near), ALL_N))
    assert right["instance recall at 1"].value == 1
    wrong = by_name(figures_of(order, rows(judge_feature=near.roll(1, 0)), ALL_N))
    assert wrong["instance recall at 1"].value == 0
    half = near.clone()
    half[:, 1] = near.roll(1, 0)[:, 1]
    assert by_name(figures_of(order, rows(judge_feature=half), ALL_N))["instance recall at 1"].value == 0.5


def test_similarity_is_the_mean_cosine_to_the_real_picture() -> None:
    order = asked(LABEL_N, rows(judge_feature=REAL), pairs=["judge"])
    found = by_name(figures_of(order, rows(judge_feature=FEATURE), ALL_N))
    wanted = torch.cosine_similarity(FEATURE, REAL, dim=2).mean()
    assert found["similarity to the real picture"].value == pytest.approx(float(wanted), rel=1e-5)


def test_fid_and_inception_score_are_those_of_torchmetrics() -> None:
    order = asked(LABEL_N, rows(judge_feature=REAL), sets=["judge"])
    found = by_name(figures_of(order, rows(judge_feature=FEATURE, judge_scores=SCORES), ALL_N))
    scores = GenerationScores(D, splits=1)
    scores.add_real(REAL[:, 0])
    scores.add_fake(Measured(FEATURE.flatten(0, 1), SCORES.flatten(0, 1)))
    count, wanted = scores.compute()
    assert found["FID"].value == pytest.approx(wanted["fid"], rel=1e-4)
    assert found["inception score"].value == pytest.approx(wanted["inception_score"], rel=1e-4)
    assert found["FID"].items == count == N * J
    assert found["FID"].network == "judge_8px, 40 real own"


def test_real_pictures_are_at_no_distance_from_themselves() -> None:
    order = asked(LABEL_N, rows(judge_feature=REAL), sets=["judge"])
    found = by_name(figures_of(order, rows(judge_feature=REAL), ALL_N))
    assert found["FID"].value == pytest.approx(0, abs=1e-6)
    for name in ("precision", "recall", "coverage"):
        assert found[name].value == 1


def test_clips_without_a_picture_change_no_figure_of_the_others() -> None:
    there_N = torch.arange(N) >= 10
    uses: dict[str, Any] = {name: ["judge"] for name in ("sets", "classes", "instances", "pairs")}
    order = asked(LABEL_N, rows(judge_feature=REAL), **uses)
    zeroed = [part * there_N[:, None, None] for part in (FEATURE, SCORES)]
    found = figures_of(order, rows(judge_feature=zeroed[0], judge_scores=zeroed[1]), there_N)
    noisy = figures_of(
        order,
        rows(
            judge_feature=torch.where(there_N[:, None, None], FEATURE, 100.0),
            judge_scores=torch.where(there_N[:, None, None], SCORES, -100.0),
        ),
        there_N,
    )
    assert found == noisy
    assert by_name(found)["class recall at 1"].items == N - 10


def test_a_network_without_scores_gives_no_inception_score() -> None:
    order = asked(LABEL_N, rows(judge_feature=REAL), sets=["judge"])
    assert "inception score" not in by_name(figures_of(order, rows(judge_feature=FEATURE), ALL_N))


def test_kid_needs_as_many_pictures_as_a_subset_has() -> None:
    for subset, is_there in ((N, True), (N + 1, False)):
        order = asked(LABEL_N, rows(judge_feature=REAL), sets=["judge"], kid_subset=subset)
        found = by_name(figures_of(order, rows(judge_feature=FEATURE), ALL_N))
        assert ("KID" in found) == is_there


def scene(seed: int) -> Scene:
    """Clips of one source, the last ten of two."""
    dice = torch.Generator().manual_seed(seed)
    present_NK = torch.nn.functional.one_hot(torch.arange(N) % K, K).float()
    present_NK[-10:, 0] = present_NK[-10:, 1] = 1
    present_NK[-10:, 2:] = 0
    place_NK3 = torch.rand(N, K, 3, generator=dice) * present_NK[:, :, None]
    return Scene(present_NK, place_NK3, torch.zeros(N, dtype=torch.long))


def test_a_reader_tells_kinds_number_both_of_a_mixture_size_and_height() -> None:
    true = scene(0)
    order = asked(LABEL_N, rows(), scene=true, reader="judge")
    read_NJM = rows_of(true)[:, None].repeat(1, J, 1)
    right = by_name(figures_of(order, rows(judge_feature=read_NJM), ALL_N))
    for name in ("kinds right", "number right", "both of a mixture shown", "diameter, rank correlation"):
        assert right[name].value == pytest.approx(1), name
    assert right["both of a mixture shown"].items == 10
    one = true.present_BK.clone()
    one[-10:, 1] = 0
    one[0] = one[0].roll(1)
    blind = rows_of(Scene(one, 0.9 - true.place_BK3 * one[:, :, None], true.background_B))
    found = by_name(figures_of(order, rows(judge_feature=blind[:, None]), ALL_N))
    assert found["both of a mixture shown"].value == 0
    assert found["kinds right"].value == pytest.approx((N - 11) / N)
    assert found["number right"].value == pytest.approx((N - 10) / N)
    assert found["height, rank correlation"].value == pytest.approx(-1)
    half = true.place_BK3.clone()
    half[::2] = 1 - half[::2]
    read_NJM = rows_of(Scene(true.present_BK, half, true.background_B))[:, None]
    some = by_name(figures_of(order, rows(judge_feature=read_NJM), ALL_N))["height, rank correlation"]
    low, high = torch.tensor(some.resampled).quantile(torch.tensor([0.025, 0.975])).tolist()
    assert (some.low, some.high) == pytest.approx((low, high))
    assert low < some.value < high


def test_the_classes_of_a_mixture_are_looked_for_among_as_many_best_scores() -> None:
    true = scene(0)
    true = Scene(true.present_BK[:, :3], true.place_BK3[:, :3], true.background_B)
    scores_NJK = torch.zeros(N, 1, K)
    scores_NJK[:, :, 2] = 2.0  # column of class 0, which every mixture has
    scores_NJK[:, :, 3] = 1.0  # column of class 2, which none has
    order = asked(torch.full((N,), -1), rows(), scene=true, classes=["judge"])
    found = by_name(figures_of(order, rows(judge_scores=scores_NJK), ALL_N))
    assert found["classes of a mixture"].value == 0.5
    assert found["classes of a mixture"].items == 10
    assert "class recall at 1" not in found
