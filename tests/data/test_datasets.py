import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser

from drawn_clips import write_pairs, write_picture, write_sound
from drawn_videos import write_video
from sound2scene.data import datasets, prepare
from sound2scene.data.datasets import (
    FolderDataModule,
    ManifestDataModule,
    ToyDataModule,
    VEGASDataModule,
    VGGSoundDataModule,
    VideosDataModule,
)
from sound2scene.data.prepare import prepare_toy
from sound2scene.data.reading import ReadPictures
from sound2scene.data.selection.file import Selection
from sound2scene.data.splits import FolderVideos, VGGSoundVideos
from sound2scene.moments import Choice
from sound2scene.types import InputError


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
    return found


def sizes(folder: Path) -> dict[str, int]:
    return {split: found["clips"] for split, found in card(folder)["splits"].items()}


MODULES = {
    "toy": ToyDataModule,
    "folder": FolderDataModule,
    "manifest": ManifestDataModule,
    "vggsound": VGGSoundDataModule,
    "vegas": VEGASDataModule,
    "videos": VideosDataModule,
}


def defaults(function: Any) -> dict[str, Any]:
    found = inspect.signature(function).parameters
    return {name: one.default for name, one in found.items() if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("corpus", MODULES)
def test_a_setting_has_one_default_for_the_datamodule_and_the_function(corpus: str) -> None:
    of_function = defaults(getattr(prepare, f"prepare_{corpus}"))
    of_module = defaults(MODULES[corpus])
    if "moments" in of_function:
        of_function |= of_function.pop("moments")._asdict()
        of_module |= defaults(datasets.VideoCorpusDataModule)
    shared = of_function.keys() & of_module.keys()
    assert len(shared) >= 2
    assert {name: of_function[name] for name in shared} == {name: of_module[name] for name in shared}


@pytest.mark.parametrize("corpus", MODULES)
def test_a_recipe_sets_all_that_the_function_takes_and_what_every_clip_has(corpus: str) -> None:
    function = inspect.signature(getattr(prepare, f"prepare_{corpus}")).parameters
    # A recipe's own seed and workers are those of its loaders; toy worlds of other sizes and several machines
    # are the command's.
    wanted = set(function) - {"workers", "seed", "clips", "mixed", "moments", "team"}
    wanted |= {"selection", "frame", "side_px"} if "moments" in function else set()
    parser = ArgumentParser()
    parser.add_class_arguments(MODULES[corpus], "data", instantiate=False)
    taken = {action.dest.partition(".")[2].partition(".")[0] for action in parser._actions}
    assert wanted <= taken
    assert {"batch_size", "workers", "seed", "read", "features"} <= taken


CLIPS = {"train": 3, "val": 2, "test": 1}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos and shards of the true moment."""
    folder = tmp_path_factory.mktemp("toy")
    prepare_toy(folder / "true", folder / "videos", "true", None, CLIPS, mixed=0.34, workers=2)
    return folder


def test_toy_shards_of_another_moment_or_number_are_refused(toy: Path) -> None:
    ToyDataModule(str(toy / "true"), str(toy / "videos"), train_clips=3).prepare_data()
    with pytest.raises(
        InputError, match="pictures of the true moment of 3 training videos, not of the middle moment"
    ):
        ToyDataModule(str(toy / "true"), str(toy / "videos"), "middle", 3).prepare_data()
    with pytest.raises(InputError, match="not of the true moment of 4; name another folder"):
        ToyDataModule(str(toy / "true"), str(toy / "videos"), train_clips=4).prepare_data()


@pytest.mark.parametrize(("frame", "selection"), [("middle", None), ("localizer", "chosen.json")])
def test_missing_toy_shards_are_prepared_with_the_settings_given(
    frame: Any, selection: str | None, monkeypatch: pytest.MonkeyPatch, toy: Path, tmp_path: Path
) -> None:
    def prepare_anything(shards: str, *given: Any) -> None:
        assert given == ("v", frame, selection, {"train": 5, "val": 256, "test": 256})
        values = card(toy / "true")
        values["notes"] |= {"frame": frame, "videos": given[-1]}
        Path(shards).mkdir()
        Path(shards, "dataset.json").write_text(json.dumps(values))

    monkeypatch.setattr(prepare, "prepare_toy", prepare_anything)
    ToyDataModule(str(tmp_path / "shards"), "v", frame, 5, selection, batch_size=2).prepare_data()
    assert (tmp_path / "shards" / "dataset.json").exists()


def test_a_folder_is_prepared_once(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "source", [f"c{n}" for n in range(10)])
    settings: dict[str, Any] = {"batch_size": 2, "workers": 0, "read": ReadPictures("pixels64")}
    data = FolderDataModule(str(source), str(tmp_path / "shards"), 0.2, 0.3, **settings)
    data.prepare_data()
    assert sizes(tmp_path / "shards") == {"train": 6, "val": 1, "test": 3}
    assert card(tmp_path / "shards")["name"] == "source"
    assert [len(batch.key) for batch in data.train_dataloader()] == [2, 2, 2]
    stamp = (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns
    for path in (source / "images").iterdir():
        path.unlink()
    data.prepare_data()  # the source may be gone by then
    assert (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns == stamp


def test_the_moments_of_a_localizer_need_its_selection(toy: Path, tmp_path: Path) -> None:
    data = ToyDataModule(str(tmp_path / "shards"), str(toy / "videos"), "localizer", 3)
    with pytest.raises(InputError, match="missing; run `sound2scene prepare toy --frame localizer -o"):
        data.prepare_data()


def pairs_of_classes(folder: Path, *labels: str) -> Path:
    for label in labels:
        write_pairs(folder / label, ["a", "b", "c"])
    return folder


def videos_of_classes(folder: Path, *labels: str) -> Path:
    for label in labels:
        for number in range(3):
            write_video(folder / label / f"{number}.mkv")
    return folder


@pytest.mark.costly
@pytest.mark.parametrize("write", [pairs_of_classes, videos_of_classes])
def test_vegas_takes_the_five_or_the_ten_classes_of_pairs_or_of_videos(write: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "source", "dog", "drum", "holiday")
    for five, labels in ((None, {"dog"}), (False, {"dog", "drum"})):
        settings = {} if five is None else {"five": five}
        data = VEGASDataModule(str(source), str(tmp_path / str(five)), test_share=0.34, **settings)
        data.prepare_data()
        assert (card(tmp_path / str(five))["name"], len(data.folder.classes)) == (
            "vegas",
            5 if five is None else 10,
        )
        splits = [data.open(split) for split in data.folder.fingerprints()]
        assert {
            clip.label for shards in splits for clip in map(shards.__getitem__, range(len(shards)))
        } == labels


def test_a_manifest_is_prepared_with_its_draw_in_the_notes(tmp_path: Path) -> None:
    lines = ["file,modality,class,split"]
    for label in ("cat", "dog"):
        for number in range(6):
            write_sound(tmp_path / "source" / "sounds" / label / f"{number}.wav", number)
            write_picture(tmp_path / "source" / "pictures" / label / f"{number}.jpg", number)
            split = "test" if number == 5 else "train"
            lines += [f"sounds/{label}/{number}.wav,audio,{label},{split}"]
            lines += [f"pictures/{label}/{number}.jpg,image,{label},{split}"]
    manifest = tmp_path / "source" / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n")
    ManifestDataModule(str(manifest), str(tmp_path / "shards"), 0.2, draw_seed=7).prepare_data()
    values = card(tmp_path / "shards")
    assert values["notes"]["draw_seed"] == 7
    assert values["classes"] == ["cat", "dog"]
    assert sizes(tmp_path / "shards") == {"train": 8, "val": 2, "test": 2}


def vggsound(folder: Path) -> Path:
    """The table of six clips, three of them dogs."""
    lines = [
        f"{name},30,{'dog' if n % 2 else 'cat'},{'test' if n > 3 else 'train'}" for n, name in enumerate(IDS)
    ]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "classes.txt").write_text("dog\n")
    return folder / "table.csv"


IDS = [f"video-_{number:04d}" for number in range(6)]


def vggsound_pairs(folder: Path) -> Path:
    return write_pairs(folder, [f"{name}_000030" for name in IDS])


def vggsound_videos(folder: Path) -> Path:
    for name in IDS:
        write_video(folder / "deep" / f"{name}_30000_40000.mkv")
    return folder


@pytest.mark.parametrize("write", [vggsound_pairs, vggsound_videos])
def test_vggsound_is_prepared_of_pairs_or_of_videos_with_its_coverage_in_the_notes(
    write: Any, tmp_path: Path
) -> None:
    table, source = vggsound(tmp_path), write(tmp_path / "source")
    shards, classes = tmp_path / "shards", str(tmp_path / "classes.txt")
    data = VGGSoundDataModule(str(source), str(table), str(shards), classes, 0.5, workers=0)
    data.prepare_data()
    assert sizes(shards) == {"train": 1, "val": 1, "test": 1}
    assert data.folder.classes == ["dog"]
    assert data.folder.notes["coverage"] == {
        "train": {"found": 1, "expected": 1},
        "val": {"found": 1, "expected": 1},
        "test": {"found": 1, "expected": 1},
    }
    assert data.folder.notes["outside_classes"] == 3
    assert data.open("test").key(0) == "video-_0005_30000_40000"
    stamp = (shards / "dataset.json").stat().st_mtime_ns
    data.prepare_data()
    assert (shards / "dataset.json").stat().st_mtime_ns == stamp


def test_moments_sizes_and_rules_of_a_recipe_reach_the_shards(tmp_path: Path) -> None:
    table, source = vggsound(tmp_path), vggsound_videos(tmp_path / "source")
    chosen = {"video-_0001_30000_40000": Choice((0.5,), (), 2.5)}
    Selection({"name": "x"}, chosen, {}).save(tmp_path / "selection.json")
    data = VGGSoundDataModule(
        str(source),
        str(table),
        str(tmp_path / "shards"),
        val_share=0.0,
        selection=str(tmp_path / "selection.json"),
        frame="middle",
        side_px=24,
    )
    data.prepare_data()
    moments = {clip.key: clip.moment_s for clip in map(data.open("train").__getitem__, range(4))}
    assert moments.pop("video-_0001_30000_40000") == 0.5
    assert set(moments.values()) == {1.2}
    assert data.folder.notes["side_px"] == 24


def test_any_folder_of_videos_becomes_a_dataset_with_or_without_labels(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "b/1"):
        write_video(tmp_path / "videos" / f"{name}.mkv")
    (tmp_path / "labels.csv").write_text(
        "key,label,split\na/1.mkv,dog,train\na/2.mkv,dog,test\nb/1.mkv,cat,train\n"
    )
    for number, (labels, classes) in enumerate(
        [(None, []), ("folders", ["a", "b"]), (str(tmp_path / "labels.csv"), ["cat", "dog"])]
    ):
        shards = tmp_path / f"shards-{number}"
        data = VideosDataModule(str(tmp_path / "videos"), str(shards), labels, val_share=0.0)
        data.prepare_data()
        assert (card(shards)["name"], data.folder.classes) == ("videos", classes)
    assert data.open("test").key(0) == "a-2"


def test_shards_at_an_address_are_read_and_never_prepared(dataset: Path) -> None:
    address = f"file://{dataset}"
    settings: dict[str, Any] = {"batch_size": 4, "workers": 0, "read": ReadPictures("pixels64")}
    data = FolderDataModule("/nowhere", address, **settings)
    data.prepare_data()
    assert len(list(data.val_dataloader())) == 2
    missing = FolderDataModule("/nowhere", f"{address}-missing")
    missing.prepare_data()
    with pytest.raises(InputError, match=r"no dataset\.json there"):
        missing.val_dataloader()


SHARED = {
    "folder": lambda shares: FolderDataModule("f", "s", **shares),
    "vegas": lambda shares: VEGASDataModule("f", "s", **shares),
    "videos": lambda shares: VideosDataModule("f", "s", **shares),
    "frames": lambda shares: FolderVideos("f", **shares),
    "manifest": lambda shares: ManifestDataModule("f", "s", val_share=shares["val_share"]),
    "vggsound": lambda shares: VGGSoundDataModule("f", "t", "s", val_share=shares["val_share"]),
    "vggsound frames": lambda shares: VGGSoundVideos("f", "t", val_share=shares["val_share"]),
}


@pytest.mark.parametrize("corpus", SHARED)
@pytest.mark.parametrize("share", [1.0, -0.1, float("nan"), float("inf")])
def test_shares_that_are_none_are_refused_before_any_work(corpus: str, share: float) -> None:
    with pytest.raises(InputError, match=r"^data(\.splits)?\.val_share is .*; set it to at least 0"):
        SHARED[corpus]({"val_share": share, "test_share": 0.1})


@pytest.mark.parametrize("corpus", ["folder", "vegas", "videos", "frames"])
def test_shares_that_leave_nothing_to_train_on_are_refused(corpus: str) -> None:
    with pytest.raises(InputError, match=r"^data(\.splits)?\.val_share_and_test_share is 1\.\d*; set it"):
        SHARED[corpus]({"val_share": 0.5, "test_share": 0.5})
