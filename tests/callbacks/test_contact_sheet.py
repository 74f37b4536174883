from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from matplotlib.figure import Figure
from PIL import Image

from listening import Loudest
from sound2scene.callbacks import contact_sheet
from sound2scene.callbacks.contact_sheet import ContactSheet
from sound2scene.commands.selection_run import select_moments
from sound2scene.data.batches.sampler import fixed_sample
from sound2scene.data.selection.file import Selection
from sound2scene.data.selection.parts import Parts
from sound2scene.data.toy import world as toy
from sound2scene.data.video.find import find_videos
from sound2scene.figures.contact_sheet import SheetRow, draw_sheet
from sound2scene.figures.sheet import GAP, SIDE
from sound2scene.models.scorers import Middle
from sound2scene.moments import Choice, Scored, Scorer
from sound2scene.types import InputError

SCORER = {"name": "x", "fingerprint": None, "settings": {}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    toy.write_videos(folder, {"val": 3}, 0, 1, workers=1)
    return folder


def drawn(folder: Path, target: Path, scorer: Scorer, **more: Choice) -> Image.Image | None:
    """The sheet of a selection of the true moments."""
    moments = {f"val/{truth.key}": truth.moment_true_s for truth in toy.read_truth(folder, "val")}
    videos = {key: Choice((second,), (1.0,), 10.0) for key, second in moments.items()}
    Selection(SCORER, {**videos, **more}, {}).save(target)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    ContactSheet(Parts(target, SCORER), find_videos(folder), scorer).teardown(
        trainer, pl.LightningModule(), "predict"
    )
    sheet = target.with_suffix(".png")
    return Image.open(sheet) if sheet.exists() else None


@pytest.mark.costly
def test_a_sheet_has_a_row_for_each_video_and_a_column_for_the_heat_map_where_there_is_one(
    folder: Path, tmp_path: Path
) -> None:
    seen = drawn(folder, tmp_path / "a.json", Loudest())
    blind = drawn(folder, tmp_path / "b.json", Middle())
    assert seen is not None
    assert blind is not None
    assert seen.height == blind.height > 3 * SIDE
    assert seen.width - blind.width == SIDE + GAP
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.png", "b.json", "b.png"}


@pytest.mark.costly
def test_what_a_reader_must_know_of_the_choice_stands_on_the_sheet(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def spy(rows: list[SheetRow], about: str = "") -> Figure:
        told.append(about)
        return draw_sheet(rows, about)

    monkeypatch.setattr(contact_sheet, "draw_sheet", spy)
    (tmp_path / "a").mkdir()
    one = {f"val/{toy.read_truth(folder, 'val')[0].key}": folder / "val" / "toy-val-000000.mp4"}
    machine = {"accelerator": "cpu", "devices": 1}
    select_moments(one, Middle(), tmp_path / "a" / "s.json", workers=0, about="trained on toys", **machine)
    assert [words.split(";")[0] for words in told] == ["trained on toys"]
    assert "1 of 1 videos, chosen by" in told[0]
    assert (tmp_path / "a" / "s.png").exists()


@pytest.mark.slow
def test_a_video_that_is_gone_or_spoilt_since_is_left_out(folder: Path, tmp_path: Path) -> None:
    sheet = drawn(folder, tmp_path / "a.json", Middle(), gone=Choice((1.0,), (1.0,), 10.0))
    assert sheet is not None
    height = sheet.height
    assert 3 * SIDE < height < 6 * SIDE
    (folder / "spoilt.mp4").write_text("not a video")
    sheet = drawn(folder, tmp_path / "b.json", Middle(), spoilt=Choice((1.0,), (1.0,), 10.0))
    (folder / "spoilt.mp4").unlink()
    assert sheet is not None
    assert sheet.height == height


@pytest.mark.costly
def test_of_a_long_selection_as_many_are_shown_as_fit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[list[str]] = []

    def spy(rows: list[SheetRow], about: str) -> Figure:
        shown.append([row.key for row in rows])
        assert about == "2 of 3 videos, chosen by x"
        return draw_sheet(rows, about)

    monkeypatch.setattr(contact_sheet, "COUNT", 2)
    monkeypatch.setattr(contact_sheet, "draw_sheet", spy)
    drawn(folder, tmp_path / "a.json", Middle())
    assert shown == [fixed_sample(sorted(Selection.load(tmp_path / "a.json").videos), 2)]
    assert len(shown[0]) == 2


def test_the_heat_map_is_that_of_the_chosen_step_on_the_scorers_own_scale() -> None:
    map_SHW = torch.zeros(5, 2, 2)
    map_SHW[3, 0, 1] = 7.0
    heat_HW = contact_sheet._heat(Scored(torch.zeros(5), map_SHW), 0.3)
    assert heat_HW is not None
    assert torch.equal(heat_HW, map_SHW[3])
    flat_HW = contact_sheet._heat(Scored(torch.zeros(5), map_SHW), 0.2)
    assert flat_HW is not None
    assert (flat_HW == 0).all()
    assert contact_sheet._heat(Scored(torch.zeros(5)), 0.3) is None


def test_the_sheet_says_who_chose_with_which_weights_and_settings(tmp_path: Path) -> None:
    scorer = {"name": "mine", "fingerprint": "0123456789", "settings": {"top_k": 3, "seed": 7}}
    sheet = ContactSheet(Parts(tmp_path / "a.json", scorer), {}, Middle())
    assert sheet._about(2, 9) == "2 of 9 videos, chosen by mine, weights 01234567, top_k 3, seed 7"


@pytest.mark.costly
def test_a_name_with_dollars_is_a_name_and_no_formula(folder: Path, tmp_path: Path) -> None:
    toy.write_videos(tmp_path, {"val": 1}, 0, 1, workers=1)
    (tmp_path / "val" / "toy-val-000000.mp4").rename(tmp_path / "$1_vs_$1000_Hotel.mp4")
    target = tmp_path / "a.json"
    Selection(SCORER, {"$1_vs_$1000_Hotel": Choice((1.0,), (1.0,), 10.0)}, {}).save(target)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    ContactSheet(Parts(target, SCORER), find_videos(tmp_path), Middle()).teardown(
        trainer, pl.LightningModule(), "predict"
    )
    assert target.with_suffix(".png").exists()


def test_a_sheet_that_cannot_be_written_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(contact_sheet, "save", full)
    told = r"^\S+a\.png: cannot be written \(no space left on device\); choose another output$"
    with pytest.raises(InputError, match=told):
        drawn(folder, tmp_path / "a.json", Middle())
