from pathlib import Path

import pytest
import torch

from sound2scene import artifacts
from sound2scene.models.localizer import Localizer, upsampled
from sound2scene.moments import Moments, Scorer, windows
from sound2scene.types import InputError
from tiny import tiny_localizer


def some_moments(steps: int = 30, side_px: int = 32, seed: int = 0) -> Moments:
    dice = torch.Generator().manual_seed(seed)
    frames_SCHW = torch.randint(0, 256, (steps, 3, side_px, side_px), dtype=torch.uint8, generator=dice)
    waveform_T = torch.rand(steps * 1600, generator=dice) - 0.5
    return Moments("a", torch.arange(steps, dtype=torch.float64) / 10, frames_SCHW, waveform_T)


@pytest.mark.costly
def test_the_defaults_are_two_resnet_18_and_a_map_of_14_by_14() -> None:
    localizer = Localizer()
    with torch.inference_mode():
        image_NDHW, audio_ND = localizer.eval().streams(
            torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.zeros(1, 16_000)
        )
    assert image_NDHW.shape == (1, 512, 14, 14)
    assert audio_ND.shape == (1, 512)


def test_a_score_is_the_pooled_dot_product_of_its_own_frame_and_sound() -> None:
    localizer, moments = tiny_localizer().eval(), some_moments()
    with torch.inference_mode():
        image_SDHW, audio_SD = localizer.streams(
            moments.frames_SCHW, windows(moments.waveform_T, moments.second_S, 0.5)
        )
    expected_S = (image_SDHW * audio_SD[:, :, None, None]).sum(1).amax((1, 2)) * localizer.scale
    found = localizer.score(moments)
    torch.testing.assert_close(found.score_S, expected_S, rtol=1e-4, atol=1e-4)
    assert isinstance(localizer, Scorer)


def test_the_diagonal_of_all_correlations_is_the_score_of_the_pairs() -> None:
    torch.manual_seed(0)
    for pooling in ("max", "softmax", "mean"):
        localizer = tiny_localizer(pooling=pooling)
        image_NDHW, audio_ND = torch.randn(5, 16, 4, 4), torch.randn(5, 16)
        score_N = localizer.agreement(image_NDHW, audio_ND).score_N
        torch.testing.assert_close(localizer.correlations(image_NDHW, audio_ND).diagonal(), score_N)


def test_a_score_depends_on_its_own_moment_alone() -> None:
    localizer = tiny_localizer().eval()
    whole = some_moments(30)
    half = whole._replace(second_S=whole.second_S[:15], frames_UCHW=whole.frames_UCHW[:15])
    torch.testing.assert_close(localizer.score(half).score_S, localizer.score(whole).score_S[:15])


@pytest.mark.parametrize("in_order", [True, False])
def test_a_frame_that_many_steps_show_is_looked_at_once_and_the_scores_stay(
    in_order: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    localizer, held = tiny_localizer().eval(), some_moments(120)
    shown_S = torch.arange(120) * 40 // 120
    if not in_order:
        shown_S = shown_S[torch.randperm(120, generator=torch.Generator().manual_seed(0))]
    once = held._replace(frames_UCHW=held.frames_UCHW[:40], shown_S=shown_S)
    repeated = held._replace(frames_UCHW=once.frames_SCHW)
    looked: list[int] = []
    look = localizer.looked
    monkeypatch.setattr(localizer, "looked", lambda frames: looked.append(len(frames)) or look(frames))
    found, expected = localizer.score(once), localizer.score(repeated)
    assert (sum(looked[:2]), sum(looked[2:])) == (40, 120)
    torch.testing.assert_close(found.score_S, expected.score_S, rtol=1e-5, atol=1e-5)
    for step in (0, 7, 119):
        torch.testing.assert_close(found.map_at(step), expected.map_at(step), rtol=1e-4, atol=1e-4)
        assert found.map_at(step).shape == (32, 32)


def test_unit_length_bounds_the_correlation() -> None:
    localizer = tiny_localizer(unit_length=True).eval()
    found = localizer.score(some_moments())
    assert found.score_S.abs().max() <= localizer.scale * (1 + 1e-5)
    assert localizer.scale == pytest.approx(1 / 0.07)


def test_a_cell_is_drawn_at_the_pixel_where_it_looks() -> None:
    backbone = tiny_localizer().eval().image.backbone
    for module in backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.constant_(module.weight, 1 / module.weight[0].numel())
    image_BCHW = torch.rand(1, 3, 256, 256, requires_grad=True)
    map_BDHW = backbone.forward_features(image_BCHW)  # type: ignore[operator]
    map_BDHW[0, :, 14, 18].sum().backward()
    assert image_BCHW.grad is not None
    seen_HW = image_BCHW.grad.abs().sum((0, 1))
    centre = [float((seen_HW.sum(1 - axis) * torch.arange(256)).sum() / seen_HW.sum()) for axis in (0, 1)]

    cells_NHW = torch.zeros(1, 32, 32)
    cells_NHW[0, 14, 18] = 1
    drawn = divmod(int(upsampled(cells_NHW, 256)[0].argmax()), 256)
    assert centre == pytest.approx(drawn, abs=1.0)  # half a cell would be 4 pixels


def test_an_artifact_scores_as_the_network_did(tmp_path: Path) -> None:
    localizer, moments = tiny_localizer(classes=3).eval(), some_moments()
    artifacts.save(localizer, tmp_path / "a", card={"kind": "localizer", "preset": "log_mel"})
    loaded = artifacts.load(tmp_path / "a", kind="localizer")
    localizer.to(memory_format=torch.channels_last)  # as artifacts are loaded
    assert torch.equal(loaded.score(moments).score_S, localizer.score(moments).score_S)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"pooling": "sum"}, "sum"),
        ({"dim": 0}, "dim is 0"),
        ({"image": {"side": 3}}, "side"),
        ({"audio": {"hop": 1}}, "hop"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Localizer(**settings)  # type: ignore[arg-type]


def test_cells_that_do_not_fill_the_side_are_drawn_a_stride_apart() -> None:
    map_NHW = torch.zeros(1, 13, 13)
    map_NHW[0, 12, 12] = 1
    large_HW = upsampled(map_NHW, 200)[0]  # stride 16
    assert large_HW.shape == (200, 200)
    assert large_HW[192, 192] == 1
    assert large_HW[176, 176] == 0
