import json
from pathlib import Path
from typing import Any

import pytest

from drawn_clips import write_pairs, write_picture, write_sound
from sound2scene.data import prepare as sources
from sound2scene.data.corpora.vegas import FIVE_CLASSES
from sound2scene.data.datasets import (
    FolderDataModule,
    ManifestDataModule,
    ToyDataModule,
    VEGASDataModule,
    VGGSoundDataModule,
)
from sound2scene.data.prepare import prepare_toy, prepare_vggsound
from sound2scene.data.selection.file import Choice, Selection
from sound2scene.data.shards.read import ShardDataset
from sound2scene.data.toy.world import Truth, read_truth
from sound2scene.types import InputError


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
    return found


def sizes(folder: Path) -> dict[str, int]:
    return {split: found["clips"] for split, found in card(folder)["splits"].items()}


CLIPS = {"train": 3, "val": 2, "test": 1}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos and shards of the true moment."""
    folder = tmp_path_factory.mktemp("toy")
    prepare_toy(folder / "true", folder / "videos", "true", None, CLIPS, mixed=1, workers=2)
    return folder


def test_the_toy_world_becomes_shards_with_its_choice_of_moment(toy: Path) -> None:
    assert sizes(toy / "true") == {"train": 3, "val": 2, "test": 2}
    notes = card(toy / "true")["notes"]
    assert notes == {"frame": "true", "seed": 0, "videos": {"train": 3, "val": 2, "test": 1, "test_mixed": 1}}
    true = ShardDataset(toy / "true", "train")
    assert all(true[n].moment_s == pytest.approx(moment(true[n].metadata)) for n in range(3))
    assert all(
        Truth.from_json(true[n].metadata) == truth
        for n, truth in enumerate(read_truth(toy / "videos", "train"))
    )
    assert int(ShardDataset(toy / "true", "test").label_N[-1]) == -1  # two sources have no one label


def test_the_frame_is_that_of_the_moment(toy: Path) -> None:
    middle = prepare_toy(toy / "middle", toy / "videos", "middle", None, CLIPS, 1)
    chosen = Selection({"name": "x"}, {}, {"val/toy-val-000001": ("silent", "toy-val-000001.mp4: is silent")})
    for split in CLIPS:
        for truth in read_truth(toy / "videos", split):
            name = f"{split}/{truth.key}"
            if name not in chosen.rejected:
                chosen.videos[name] = Choice((truth.moment_true_s, 1.0), (2.0, 1.0), 10.0)  # type: ignore[index]
    chosen.save(toy / "selection.json")
    selected = prepare_toy(toy / "selected", toy / "videos", "localizer", toy / "selection.json", CLIPS, 1)
    assert (card(middle)["notes"]["frame"], card(selected)["notes"]["frame"]) == ("middle", "localizer")
    assert card(selected)["notes"]["scorer"] == {"name": "x"}
    assert sizes(selected) == {"train": 3, "val": 1, "test": 2}
    assert card(selected)["splits"]["val"]["kinds"] == {"silent": 1}
    true, other, same = (ShardDataset(toy / name, "train") for name in ("true", "middle", "selected"))
    assert {other[n].moment_s for n in range(3)} == {5.0}
    seen = [(true[n].jpeg == same[n].jpeg, true[n].jpeg == other[n].jpeg) for n in range(3)]
    assert seen == [(True, False)] * 3


def test_a_choice_of_a_localizer_needs_its_selection_and_every_video_in_it(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a selection"):
        prepare_toy(tmp_path / "s", toy / "videos", "localizer", None, CLIPS, 1)
    Selection({"name": "x"}, {}, {}).save(tmp_path / "selection.json")
    with pytest.raises(InputError, match=r"toy-train-000000.mp4: not in the selection; select the moments"):
        prepare_toy(tmp_path / "s", toy / "videos", "localizer", tmp_path / "selection.json", CLIPS, 1)
    with pytest.raises(InputError, match="prepare toy --frame localizer -o"):
        ToyDataModule(str(tmp_path / "s"), str(toy / "videos"), "localizer", 3).prepare_data()


def moment(truth: Any) -> float:
    (source,) = truth["sources"]
    return float(source["start_s"] + source["end_s"]) / 2


def test_toy_shards_of_another_moment_or_number_are_refused(toy: Path) -> None:
    ToyDataModule(str(toy / "true"), str(toy / "videos"), train_clips=3).prepare_data()
    with pytest.raises(
        InputError, match="pictures of the true moment of 3 training videos, not of the middle moment"
    ):
        ToyDataModule(str(toy / "true"), str(toy / "videos"), "middle", 3).prepare_data()
    with pytest.raises(InputError, match="not of the true moment of 4; name another folder"):
        ToyDataModule(str(toy / "true"), str(toy / "videos"), train_clips=4).prepare_data()


def test_missing_toy_shards_are_prepared_with_the_settings_given(
    monkeypatch: pytest.MonkeyPatch, toy: Path, tmp_path: Path
) -> None:
    def prepare(shards: str, videos: str, frame: str, clips: dict[str, int]) -> None:
        assert (videos, frame, clips) == ("v", "middle", {"train": 5, "val": 256, "test": 256})
        values = card(toy / "true")
        values["notes"] |= {"frame": frame, "videos": clips}
        Path(shards).mkdir()
        Path(shards, "dataset.json").write_text(json.dumps(values))

    monkeypatch.setattr(sources, "prepare_toy", prepare)
    ToyDataModule(str(tmp_path / "shards"), "v", "middle", 5, batch_size=2).prepare_data()
    assert (tmp_path / "shards" / "dataset.json").exists()


def test_a_folder_is_prepared_once(tmp_path: Path) -> None:
    source = write_pairs(tmp_path / "source", [f"c{n}" for n in range(10)])
    data = FolderDataModule(str(source), str(tmp_path / "shards"), 0.2, 0.3, batch_size=2, workers=0)
    data.prepare_data()
    assert sizes(tmp_path / "shards") == {"train": 6, "val": 1, "test": 3}
    assert card(tmp_path / "shards")["name"] == "source"
    assert [len(batch.key) for batch in data.train_dataloader()] == [2, 2, 2]
    stamp = (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns
    for path in (source / "images").iterdir():
        path.unlink()
    data.prepare_data()  # the source may be gone by then
    assert (tmp_path / "shards" / "dataset.json").stat().st_mtime_ns == stamp


def test_vegas_takes_the_five_or_the_ten_classes(tmp_path: Path) -> None:
    for label in ("dog", "drum", "baby crying"):
        write_pairs(tmp_path / "source" / label, ["a", "b", "c"])
    for five, found in ((True, {"dog", "baby crying"}), (False, {"dog", "drum", "baby crying"})):
        data = VEGASDataModule(str(tmp_path / "source"), str(tmp_path / str(five)), five)
        data.prepare_data()
        values = card(tmp_path / str(five))
        assert values["classes"] == list(data.classes or ())
        splits = [ShardDataset(tmp_path / str(five), split) for split in values["splits"]]
        labels = {shards[n].label for shards in splits for n in range(len(shards))}
        assert labels == found
        assert set(values["splits"]) == {"train", "val", "test"}
    with pytest.raises(InputError, match="no folder named as a class"):
        sources.prepare_folder(tmp_path / "none", tmp_path / "source", classes=FIVE_CLASSES[3:])


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


def test_vggsound_is_prepared_with_its_coverage_in_the_notes(tmp_path: Path) -> None:
    names = [f"video-_{number:04d}" for number in range(6)]
    lines = [
        f"{name},30,{'dog' if n % 2 else 'cat'},{'test' if n > 3 else 'train'}"
        for n, name in enumerate(names)
    ]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "classes.txt").write_text("dog\n")
    source = write_pairs(tmp_path / "source", [f"{name}_000030" for name in names])
    arguments = (
        str(source),
        str(tmp_path / "table.csv"),
        str(tmp_path / "shards"),
        str(tmp_path / "classes.txt"),
    )
    VGGSoundDataModule(*arguments, val_share=0.5).prepare_data()
    values = card(tmp_path / "shards")
    assert sizes(tmp_path / "shards") == {"train": 1, "val": 1, "test": 1}
    assert values["classes"] == ["dog"]
    assert values["notes"] == {
        "coverage": {"train": {"found": 2, "expected": 2}, "test": {"found": 1, "expected": 1}},
        "outside_classes": 3,
    }
    assert ShardDataset(tmp_path / "shards", "test").key(0) == "video-_0005_30000_40000"
    everything = prepare_vggsound(tmp_path / "all", source, tmp_path / "table.csv")
    assert sum(sizes(everything).values()) == 6


def test_shards_at_an_address_are_read_and_never_prepared(dataset: Path) -> None:
    address = f"file://{dataset}"
    data = FolderDataModule("/nowhere", address, batch_size=4, workers=0)
    data.prepare_data()
    assert len(list(data.val_dataloader())) == 2
    missing = FolderDataModule("/nowhere", f"{address}-missing")
    missing.prepare_data()
    with pytest.raises(InputError, match=r"no dataset\.json there"):
        missing.val_dataloader()
