import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sound2scene import cli
from sound2scene.commands.moved import CLASSES, KEYS, OF_STAGES, answer
from sound2scene.commands.recipe import Run
from sound2scene.data.augment import SoundShift
from sound2scene.data.batches.frozen_encoder import Features
from sound2scene.data.clips import ClipDataModule
from sound2scene.data.reading import ReadCrops, ReadInstances, ReadPairs, ReadPictures
from sound2scene.methods.sound2scene import FrozenGenerator
from sound2scene.runs import Aim
from sound2scene.stages.align import AlignStage

ALIGN, GAN = "sound2scene.stages.align.AlignStage", "sound2scene.stages.gan.GanStage"
ENCODER, JUDGE = "sound2scene.stages.encoder.EncoderStage", "sound2scene.stages.judge.JudgeStage"
FROZEN = "model.init_args.drawing, with class_path sound2scene.methods.sound2scene.FrozenGenerator"
# A key of the recipes before features belonged to the data: stage, dotted key, value, what it is called now.
OLD_KEYS: list[tuple[str, str, Any, str]] = [
    (ALIGN, "run.export", "artifacts/mine", "run.publish (the artifact itself lies in the run folder)"),
    (ALIGN, "run.monitor", "val/recall", "run.best.monitor"),
    (ALIGN, "model.init_args.image_encoder", "artifacts/swav", "data.init_args.features.image_encoder"),
    (ALIGN, "model.init_args.cache", "data/features", "data.init_args.features.cache"),
    (ALIGN, "model.init_args.generator", "artifacts/generator", FROZEN),
    (ALIGN, "data.init_args.sound_augment", None, "data.init_args.read.init_args.augment"),
    (GAN, "model.init_args.image_encoder", "artifacts/swav", "data.init_args.features.image_encoder"),
    (GAN, "model.init_args.cache", "data/features", "data.init_args.features.cache"),
    (GAN, "model.init_args.phases.neighbours", 5, "data.init_args.read.init_args.neighbours"),
    (ENCODER, "data.init_args.image_preset", "small64", "data.init_args.read.init_args.preset"),
    (ENCODER, "data.init_args.image_augment", None, "data.init_args.read.init_args.augment (crops for Re"),
    (JUDGE, "data.init_args.image_augment", None, "data.init_args.read.init_args.augment"),
    (JUDGE, "data.init_args.read", ["image"], "a class of sound2scene.data.reading, such as ReadPairs"),
    (GAN, "data.init_args.read", [], "a class of sound2scene.data.reading, such as ReadPairs"),
]
OLD_CLASSES = {
    "sound2scene.data.module.ClipDataModule": "sound2scene.data.clips.ClipDataModule",
    "sound2scene.data.picture_folder.PictureFolderDataModule": (
        "sound2scene.data.pictures.PictureFolderDataModule"
    ),
    "sound2scene.data.sources.FolderDataModule": "sound2scene.data.datasets.FolderDataModule",
    "sound2scene.data.sources.ManifestDataModule": "sound2scene.data.datasets.ManifestDataModule",
    "sound2scene.data.sources.ToyDataModule": "sound2scene.data.datasets.ToyDataModule",
    "sound2scene.data.sources.VEGASDataModule": "sound2scene.data.datasets.VEGASDataModule",
    "sound2scene.data.sources.VGGSoundDataModule": "sound2scene.data.datasets.VGGSoundDataModule",
    "sound2scene.data.video_sources.VEGASVideosDataModule": "sound2scene.data.datasets.VEGASDataModule",
    "sound2scene.data.video_sources.VGGSoundVideosDataModule": "sound2scene.data.datasets.VGGSoundDataModule",
    "sound2scene.data.video_sources.VideosDataModule": "sound2scene.data.datasets.VideosDataModule",
    "sound2scene.data.video_splits.FolderVideos": "sound2scene.data.splits.FolderVideos",
    "sound2scene.data.video_splits.ToyVideos": "sound2scene.data.splits.ToyVideos",
    "sound2scene.data.video_splits.VGGSoundVideos": "sound2scene.data.splits.VGGSoundVideos",
    "sound2scene.data.videos.VideoDataModule": "sound2scene.data.videos.MomentsDataModule",
}
PICTURES = "sound2scene.callbacks.retrieval_pictures.RetrievalPictures"


def written(path: Path, stage: str, **keys: Any) -> Path:
    """A recipe of a stage with these dotted keys."""
    recipe: dict[str, Any] = {"model": {"class_path": stage}}
    for dotted, value in keys.items():
        place = recipe
        *outer, last = dotted.split(".")
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize(("stage", "key", "value", "new"), OLD_KEYS)
def test_an_old_key_in_a_file_is_answered_by_the_new_one_in_one_line(
    stage: str, key: str, value: Any, new: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "mine.yaml", stage, **{key: value})
    for option in (["-c", str(path)], ["--config", str(path)], [f"--config={path}"]):
        found = answer(["fit", *option])
        assert found is not None
        assert found.startswith(f"{path}: {key} is now {new}")
        assert "\n" not in found


@pytest.mark.parametrize(("stage", "key", "value", "new"), OLD_KEYS)
def test_an_old_key_on_the_command_line_is_answered_by_the_new_one_in_one_line(
    stage: str, key: str, value: Any, new: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "new.yaml", stage)
    text = yaml.safe_dump(value, default_flow_style=True).partition("\n")[0]
    for option in ([f"--{key}", text], [f"--{key}={text}"]):
        found = answer(["fit", "-c", str(path), *option])
        assert found is not None
        assert found.startswith(f"command line: {key} is now {new}")
        assert "\n" not in found


@pytest.mark.parametrize(("old", "new"), OLD_CLASSES.items())
def test_an_old_class_path_is_answered_by_the_new_one_which_is_there(
    old: str, new: str, tmp_path: Path
) -> None:
    key = "data.init_args.splits.class_path" if "video_splits" in old else "data.class_path"
    path = written(tmp_path / "mine.yaml", ALIGN, **{key: old})
    assert answer(["fit", "-c", str(path)]) == f"{path}: {old} is now {new}"
    assert answer(["fit", f"--{key}", old]) == f"command line: {old} is now {new}"
    module, _, name = new.rpartition(".")
    assert inspect.isclass(getattr(importlib.import_module(module), name))


def test_every_answer_is_tried_here() -> None:
    assert KEYS.keys() <= {key for _, key, _, _ in OLD_KEYS}
    assert OF_STAGES.keys() <= {(stage.rpartition(".")[2], key) for stage, key, _, _ in OLD_KEYS}
    assert all(any(old.startswith(begin) for old in OLD_CLASSES) for begin in CLASSES)


@pytest.mark.parametrize(
    ("what", "names"),
    [
        (Run, ["best"]),
        (Aim, ["monitor"]),
        (ClipDataModule, ["features", "read"]),
        (Features, ["image_encoder", "cache"]),
        (AlignStage, ["drawing"]),
        (FrozenGenerator, ["generator"]),
        (ReadPairs, ["augment"]),
        (ReadPictures, ["preset", "augment"]),
        (ReadCrops, ["preset", "crops"]),
        (ReadInstances, ["neighbours"]),
    ],
)
def test_the_keys_that_answers_name_are_there(what: Callable[..., object], names: list[str]) -> None:
    assert set(names) <= inspect.signature(what).parameters.keys()


def test_a_monitor_of_our_callbacks_is_told_to_go_and_of_others_left_alone(tmp_path: Path) -> None:
    early = "pytorch_lightning.callbacks.EarlyStopping"
    found = {}
    for name in (PICTURES, early):
        callback = {"class_path": name, "init_args": {"monitor": "val/recall"}}
        path = written(tmp_path / "mine.yaml", ALIGN, **{"trainer.callbacks": [callback]})
        found[name] = answer(["fit", "-c", str(path)])
    key = "trainer.callbacks.0.init_args.monitor"
    assert found[PICTURES] == f"{path}: {key}: pictures and reports follow run.best; remove the key"
    assert found[early] is None


def test_new_names_and_what_cannot_be_read_are_not_answered(tmp_path: Path) -> None:
    encoder = {"class_path": "sound2scene.models.image_encoder.ImageEncoder"}
    path = written(
        tmp_path / "new.yaml",
        ENCODER,
        **{
            "model.init_args.image_encoder": encoder,
            "data.class_path": "sound2scene.data.clips.ClipDataModule",
            "data.init_args.read": {"class_path": "sound2scene.data.reading.ReadCrops"},
            "run.best": {"monitor": "val/neighbour_accuracy"},
        },
    )
    assert answer(["fit", "-c", str(path), "--trainer.max_epochs", "3", "--model.init_args.warmup"]) is None
    (tmp_path / "torn.yaml").write_text("model: [")
    assert answer(["fit", "-c", str(tmp_path / "torn.yaml"), "-c", str(tmp_path / "absent.yaml")]) is None


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command is refused."""
    assert cli.main(list(arguments)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.costly
def test_the_command_answers_an_old_recipe_key_by_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What someone meets who mends the old recipe of the toy alignment one answer after the other."""
    audio = {"class_path": "sound2scene.models.audio_encoder.AudioEncoder"}
    model: dict[str, Any] = {
        "audio_encoder": audio,
        "image_encoder": "some/encoder",
        "generator": "some/generator",
    }
    recipe: dict[str, Any] = {
        "run": {"name": "align/mine", "monitor": "val/recall"},
        "model": {"class_path": ALIGN, "init_args": model},
        "data": {"class_path": "sound2scene.data.module.ClipDataModule"},
    }
    data: dict[str, Any] = {"shards": "some/shards", "read": ["waveform"], "sound_augment": None}
    recipe["data"]["init_args"] = data
    path = tmp_path / "mine.yaml"

    def refusal() -> str:
        path.write_text(yaml.safe_dump(recipe, sort_keys=False))
        return told(capsys, "fit", "-c", str(path)).removeprefix(f"sound2scene: recipe: {path}: ")

    assert refusal() == "run.monitor is now run.best.monitor"
    recipe["run"] = {"name": "align/mine", "best": {"monitor": "val/instance/audio_to_image/recall_at_1"}}
    assert refusal() == "model.init_args.image_encoder is now data.init_args.features.image_encoder"
    data["features"] = {"image_encoder": model.pop("image_encoder")}
    assert refusal().startswith(f"model.init_args.generator is now {FROZEN}")
    frozen = "sound2scene.methods.sound2scene.FrozenGenerator"
    model["drawing"] = {"class_path": frozen, "init_args": {"generator": model.pop("generator")}}
    assert refusal().endswith("ClipDataModule is now sound2scene.data.clips.ClipDataModule")
    recipe["data"]["class_path"] = "sound2scene.data.clips.ClipDataModule"
    assert refusal().startswith("data.init_args.read is now a class of sound2scene.data.reading")
    shift = {"class_path": f"{SoundShift.__module__}.SoundShift"}
    data["read"] = {"class_path": "sound2scene.data.reading.ReadPairs", "init_args": {"augment": shift}}
    assert refusal() == "data.init_args.sound_augment is now data.init_args.read.init_args.augment"
    del data["sound_augment"]
    # Now it is a recipe: only its artifacts are not there.
    assert refusal().startswith("sound2scene: some/generator: no artifact")
