import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from drawing import instance_data, pair_data, tiny_gan, tiny_generator, tiny_judge, tiny_trainer
from forked import run_pair
from scripted import ScriptedStage, fit
from sound2scene import artifacts, images
from sound2scene.callbacks.generation_metrics import GenerationMetrics
from sound2scene.callbacks.improvement import Best
from sound2scene.data.shards.read import ShardDataset
from sound2scene.latent import seed_of_clip
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.metrics.generation import GenerationScores
from sound2scene.protocols import Measuring
from sound2scene.runs import Aim
from sound2scene.stages.gan import GanStage
from sound2scene.types import DivergedError, FeatureBatch, InputError
from tiny import tiny_stage

PROTOCOL = "n9_val_judge-resnet18_32px"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_judge(tmp_path_factory.mktemp("judge") / "judge")


def figures(shards: Path, encoder: Path, judge: Path, folder: Path, **settings: Any) -> dict[str, float]:
    callback = GenerationMetrics(str(judge), splits=1, cache=str(folder / "cache"), **settings)
    run = tiny_trainer(folder, callbacks=[callback])
    data = instance_data(shards, encoder, folder / "features")
    (found,) = run.validate(tiny_gan(), data, verbose=False)
    return dict(found)


@pytest.mark.costly
def test_figures_are_those_of_the_pictures_that_the_stage_draws_with_the_seeds_of_the_clips(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    found = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, class_means=True)
    shards = ShardDataset(str(tiny_shards), "val")
    pixels = torch.stack(
        [images.square_pixels(images.decode_jpeg(shards.member(n, "jpg"), ""), 32) for n in range(9)]
    )
    network, stage = measuring(judge), tiny_gan().eval()
    data = instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    data.setup("validate")
    expected = GenerationScores(network.feature_dim, splits=1)
    expected.add_real(network.measure(pixels).feature_BD)
    seeds = [seed_of_clip(0, shards.key(position)) for position in range(9)]
    assert len(set(seeds)) == 9
    drawn = images.to_pixel(stage.sample(data.examples("val", range(9)), seeds))
    expected.add_fake(network.measure(drawn), shards.label_N)
    count, scores = expected.compute()
    assert count == 9
    for name, value in scores.items():
        assert found[f"val/{name}/{PROTOCOL}"] == pytest.approx(value, rel=1e-4)
    means = torch.stack(
        [pixels[shards.label_N == label].float().mean(0).round() for label in range(3)]
    ).byte()
    plain = GenerationScores(network.feature_dim)
    plain.add_real(network.measure(pixels).feature_BD)
    plain.add_fake(network.measure(means[shards.label_N])._replace(logits_BK=None))
    assert found[f"val/fid_of_class_means/{PROTOCOL}"] == pytest.approx(plain.compute()[1]["fid"], rel=1e-4)


def measuring(judge: Path) -> Measuring:
    network = artifacts.load(judge)
    assert isinstance(network, Measuring)
    return network


@pytest.mark.costly
def test_a_clips_pictures_depend_on_its_name_and_the_draw_and_not_on_its_batch(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], list[int], int]] = []
    plain = GanStage.sample

    def spy(self: GanStage, batch: FeatureBatch, seeds: Sequence[int], draw: int = 0) -> Tensor:
        asked.append((batch.key, list(seeds), draw))
        return plain(self, batch, seeds, draw)

    monkeypatch.setattr(GanStage, "sample", spy)
    for size in (2, 9):
        callback = GenerationMetrics(str(judge), draws=2, splits=1, cache=str(tmp_path / "cache"))
        data = instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features", batch_size=size)
        tiny_trainer(tmp_path, callbacks=[callback]).validate(tiny_gan(), data, verbose=False)
    drawn = [(key, seed, draw) for keys, seeds, draw in asked for key, seed in zip(keys, seeds, strict=True)]
    assert len(drawn) == 2 * 9 * 2
    assert set(drawn) == {
        (f"val-{n:03d}", seed_of_clip(0, f"val-{n:03d}"), j) for n in range(9) for j in (0, 1)
    }


@pytest.mark.costly
def test_the_name_tells_draws_and_reference_and_real_features_are_computed_once(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    found = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, reference="train", draws=2)
    assert "val/fid/n18_train_judge-resnet18_32px" in found
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")}
    assert len(written) == 1
    again = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, reference="train", draws=2)
    assert again == pytest.approx(found)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.npy")} == written


@pytest.mark.costly
def test_more_pictures_per_subset_of_kid_than_there_are_is_refused_in_one_line(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"^kid_subset is 10, and there are 18 real and 9 generated pictures; [^\n]*$"
    ):
        figures(tiny_shards, tiny_image_encoder, judge, tmp_path, reference="train", kid_subset=10)


@pytest.mark.costly
def test_pictures_that_are_not_finite_are_told_by_step_and_clips_and_never_measured(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    stage = tiny_gan()
    torch.nn.init.constant_(stage.average.module.output_layer[2].bias, torch.nan)
    run = tiny_trainer(tmp_path, callbacks=[GenerationMetrics(str(judge), cache=str(tmp_path / "cache"))])
    data = instance_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    with pytest.raises(DivergedError, match=r"^step 0: pictures is NaN or infinite for clips val-000, "):
        run.validate(stage, data, verbose=False)


@pytest.mark.costly
def test_class_means_need_no_more_pictures_than_fid_does(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"reference": "train", "draws": 2, "class_means": True}
    found = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, kid_subset=10, **given)
    assert f"val/fid_of_class_means/{PROTOCOL.replace('val', 'train')}" in found
    assert f"val/kid/{PROTOCOL.replace('n9_val', 'n18_train')}" in found


@pytest.mark.costly
def test_an_alignment_is_measured_beside_its_ceiling(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(drawing=FrozenGenerator(str(generator)))
    callback = GenerationMetrics(str(judge), splits=1, cache=str(tmp_path / "cache"))
    run = tiny_trainer(tmp_path, callbacks=[callback])
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    (found,) = run.validate(stage, data, verbose=False)
    (tested,) = run.test(stage, data, verbose=False)
    ceiling = figures(tiny_shards, tiny_image_encoder, judge, tmp_path)
    # The same generator weights, noise and features, so the ceiling is what the GAN stage itself would draw.
    assert found[f"val/fid_from_z_image/{PROTOCOL}"] == pytest.approx(
        ceiling[f"val/fid/{PROTOCOL}"], rel=1e-3
    )
    assert found[f"val/fid/{PROTOCOL}"] != found[f"val/fid_from_z_image/{PROTOCOL}"]
    assert f"test/judged_as_label_from_z_image/{PROTOCOL.replace('val', 'test')}" in tested


@pytest.mark.costly
def test_fid_is_named_by_its_beginning_for_a_run_to_follow_and_the_ceiling_is_not_meant(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(drawing=FrozenGenerator(str(generator)))
    callback = GenerationMetrics(str(judge), splits=1, class_means=True, cache=str(tmp_path / "cache"))
    best = Best(Aim("val/fid", smaller_is_better=True), [])
    run = tiny_trainer(tmp_path, callbacks=[callback, best], limit_train_batches=1)
    run.fit(stage, pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features"))
    assert best.best == (-float(run.callback_metrics[f"val/fid/{PROTOCOL}"]), 0.0)


def test_an_alignment_without_a_generator_is_told_so(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    run = tiny_trainer(tmp_path, callbacks=[GenerationMetrics(str(judge), cache=str(tmp_path / "cache"))])
    data = pair_data(tiny_shards, tiny_image_encoder, tmp_path / "features")
    with pytest.raises(InputError, match=r"callbacks that draw need model\.init_args\.drawing"):
        run.validate(tiny_stage(), data, verbose=False)


def test_a_stage_that_draws_nothing_is_told_which_callback_to_remove(
    tiny_shards: Path, judge: Path, tmp_path: Path
) -> None:
    metrics = GenerationMetrics(str(judge), cache=str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"^ScriptedStage draws no pictures; remove GenerationMetrics$"):
        fit(ScriptedStage([0.2]), tiny_shards, tmp_path, metrics, max_epochs=1)


def test_a_judge_of_other_classes_has_no_say_on_labels(
    tiny_shards: Path, tiny_image_encoder: Path, tmp_path: Path
) -> None:
    other = tiny_judge(tmp_path / "judge", ("cat", "dog"))
    assert not any("judged" in name for name in figures(tiny_shards, tiny_image_encoder, other, tmp_path))


def test_a_network_that_cannot_measure_is_refused(tiny_image_encoder: Path) -> None:
    with pytest.raises(InputError, match="Linear cannot measure pictures"):
        GenerationMetrics(nn.Linear(2, 2))
    with pytest.raises(InputError, match="kind 'image-encoder', not 'judge'"):
        GenerationMetrics(str(tiny_image_encoder))


def measure(shards: Path, encoder: Path, judge: Path, folder: Path, devices: int) -> None:
    """Write the figures of the stage on some processes into a file."""
    callback = GenerationMetrics(str(judge), splits=1, cache=str(folder / "cache"), class_means=True)
    run = tiny_trainer(folder, callbacks=[callback], devices=devices)
    data = instance_data(shards, encoder, folder / "features", batch_size=2)
    (found,) = run.validate(tiny_gan(), data, verbose=False)
    if run.is_global_zero:
        (folder / "figures.json").write_text(json.dumps(found))


@pytest.mark.slow
def test_two_processes_log_what_one_does(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    measure(tiny_shards, tiny_image_encoder, judge, one, 1)
    for ended in run_pair(measure, tiny_shards, tiny_image_encoder, judge, two, 2):
        assert ended.status == 0, ended.err[-2000:]
    expected, found = (json.loads((folder / "figures.json").read_text()) for folder in (one, two))
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=0.01)
