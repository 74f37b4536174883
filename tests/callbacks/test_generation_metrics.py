import json
from pathlib import Path

import pytest
import torch
from torch import nn

from drawing import tiny_data, tiny_gan, tiny_generator, tiny_judge, tiny_trainer
from forked import run_pair
from sound2scene import artifacts, images
from sound2scene.callbacks.generation_metrics import GenerationMetrics
from sound2scene.data.shards.read import ShardDataset
from sound2scene.metrics.generation import GenerationScores
from sound2scene.types import InputError
from tiny import tiny_stage

PROTOCOL = "n9_val_judge-resnet18_32px"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_judge(tmp_path_factory.mktemp("judge") / "judge")


def figures(shards: Path, encoder: Path, judge: Path, folder: Path, **settings: object) -> dict[str, float]:
    callback = GenerationMetrics(str(judge), splits=1, cache=str(folder / "cache"), **settings)  # type: ignore[arg-type]
    run = tiny_trainer(folder, callbacks=[callback])
    (found,) = run.validate(tiny_gan(encoder, folder / "features"), tiny_data(shards), verbose=False)
    return dict(found)


def test_figures_are_those_of_the_pictures_that_the_stage_draws(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    found = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, class_means=True)
    shards = ShardDataset(str(tiny_shards), "val")
    pixels = torch.stack(
        [images.square_pixels(images.decode_jpeg(shards.member(n, "jpg"), ""), 32) for n in range(9)]
    )
    network, stage = artifacts.load(judge), tiny_gan(tiny_image_encoder, tmp_path / "features")
    data = tiny_data(tiny_shards)
    encode = artifacts.load(tiny_image_encoder)
    fingerprint = artifacts.read_card(tiny_image_encoder).fingerprint
    data.use_features(["val"], encode, fingerprint, "small64", str(tmp_path / "features"))
    expected = GenerationScores(network.feature_dim, splits=1)
    expected.add_real(network.measure(pixels).feature_BD)
    drawn = images.to_pixel(stage.sample(data.examples("val", range(9))))
    expected.add_fake(network.measure(drawn), shards.label_N)
    count, scores = expected.compute()
    assert count == 9
    for name, value in scores.items():
        assert found[f"val/{name}/{PROTOCOL}"] == pytest.approx(value, rel=1e-4)
    assert found["val/generation_score"] == -found[f"val/fid/{PROTOCOL}"]
    means = torch.stack(
        [pixels[shards.label_N == label].float().mean(0).round() for label in range(3)]
    ).byte()
    plain = GenerationScores(network.feature_dim)
    plain.add_real(network.measure(pixels).feature_BD)
    plain.add_fake(network.measure(means[shards.label_N])._replace(logits_BK=None))
    assert found[f"val/fid_of_class_means/{PROTOCOL}"] == pytest.approx(plain.compute()[1]["fid"], rel=1e-4)


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


def test_more_pictures_per_subset_of_kid_than_there_are_is_refused_in_one_line(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"^kid_subset is 10, and there are 18 real and 9 generated pictures; [^\n]*$"
    ):
        figures(tiny_shards, tiny_image_encoder, judge, tmp_path, reference="train", kid_subset=10)


def test_class_means_need_no_more_pictures_than_fid_does(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    given = {"reference": "train", "draws": 2, "class_means": True}
    found = figures(tiny_shards, tiny_image_encoder, judge, tmp_path, kid_subset=10, **given)
    assert f"val/fid_of_class_means/{PROTOCOL.replace('val', 'train')}" in found
    assert f"val/kid/{PROTOCOL.replace('n9_val', 'n18_train')}" in found


def test_an_alignment_is_measured_beside_its_ceiling(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    generator = tiny_generator(tmp_path / "generator", tiny_image_encoder)
    stage = tiny_stage(tiny_image_encoder, tmp_path / "features", generator=str(generator))
    callback = GenerationMetrics(str(judge), splits=1, cache=str(tmp_path / "cache"))
    run = tiny_trainer(tmp_path, callbacks=[callback])
    data = tiny_data(tiny_shards, read=["waveform"])
    (found,) = run.validate(stage, data, verbose=False)
    (tested,) = run.test(stage, data, verbose=False)
    ceiling = figures(tiny_shards, tiny_image_encoder, judge, tmp_path)
    # The same generator weights, noise and features, so the ceiling is what the GAN stage itself would draw.
    assert found[f"val/fid_from_z_image/{PROTOCOL}"] == pytest.approx(
        ceiling[f"val/fid/{PROTOCOL}"], rel=1e-3
    )
    assert found[f"val/fid/{PROTOCOL}"] != found[f"val/fid_from_z_image/{PROTOCOL}"]
    assert f"test/judged_as_label_from_z_image/{PROTOCOL.replace('val', 'test')}" in tested


def test_an_alignment_without_a_generator_is_told_so(
    tiny_shards: Path, tiny_image_encoder: Path, judge: Path, tmp_path: Path
) -> None:
    run = tiny_trainer(tmp_path, callbacks=[GenerationMetrics(str(judge), cache=str(tmp_path / "cache"))])
    with pytest.raises(InputError, match=r"callbacks that draw need model\.init_args\.generator"):
        run.validate(tiny_stage(tiny_image_encoder, tmp_path / "f"), tiny_data(tiny_shards), verbose=False)


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
    stage, data = tiny_gan(encoder, folder / "features"), tiny_data(shards, batch_size=2)
    (found,) = run.validate(stage, data, verbose=False)
    if run.is_global_zero:
        (folder / "figures.json").write_text(json.dumps(found))


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
