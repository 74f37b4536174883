from pathlib import Path

import pytest
import torch

from controlling import picture, trio
from sound2scene.control.search import Effort
from sound2scene.demo import studio
from sound2scene.demo.studio import Artifacts, Asked, Edit, Studio
from sound2scene.methods.sound2scene import SoundToScene
from sound2scene.types import InputError

SOUNDS = Path(__file__).resolve().parents[2] / "experiments" / "sounds"
BELL, RAIN = str(SOUNDS / "bell.flac"), str(SOUNDS / "rain.flac")


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory, tiny_image_encoder: Path) -> Studio:
    networks = trio(tmp_path_factory.mktemp("trio"), tiny_image_encoder)
    return Studio(Artifacts(*map(str, networks)), "cpu")


def pixels(shown: studio.Shown) -> list[bytes]:
    return [one.tobytes() for one in shown.pictures]


@pytest.mark.costly
def test_without_any_change_the_pictures_are_those_of_the_method(at_work: Studio) -> None:
    scene: SoundToScene = at_work.scene
    expected = [one.tobytes() for one in scene(BELL, draws=3, seed=5, truncation=0.5)]
    assert pixels(at_work.draw(Asked(BELL, seed=5, draws=3, truncation=0.5))) == expected


@pytest.mark.costly
def test_a_share_of_one_and_a_blend_of_zero_change_nothing_and_their_other_ends_leave_the_other_alone(
    at_work: Studio, tmp_path: Path
) -> None:
    seen = str(picture(tmp_path / "seen.png"))
    assert pixels(at_work.draw(Asked(BELL, other=RAIN, share=1, picture=seen, blend=0))) == pixels(
        at_work.draw(Asked(BELL))
    )
    rain = at_work.draw(Asked(RAIN))
    assert pixels(at_work.draw(Asked(BELL, other=RAIN, share=0))) == pixels(rain)
    whole = at_work.draw(Asked(BELL, picture=seen, blend=1))
    assert torch.equal(whole.z_D, at_work.draw(Asked(RAIN, picture=seen, blend=1)).z_D)
    assert not torch.equal(whole.z_D, rain.z_D)


def test_clipping_is_remarked(at_work: Studio) -> None:
    assert "% of the samples are clipped" in at_work.draw(Asked(BELL, gain_db=40)).remark


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(None), "no sound yet"),
        (Asked(BELL, draws=17), "draw.pictures is 17"),
        (Asked(BELL, gain_db=float("nan")), "draw.volume is nan"),
        (Asked(BELL, truncation=2), "draw.truncation is 2"),
        (Asked(BELL, blend=-1), "draw.blend is -1"),
        (Asked(BELL, seed=-1), "draw.seed is -1"),
        (Asked(BELL, other=RAIN, share=3), "mix.a is 3"),
        (Asked(BELL, picture=BELL, blend=0.5), r"bell\.flac: not a picture"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(at_work: Studio, asked: Asked, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        at_work.draw(asked)
    assert "\n" not in str(caught.value)


@pytest.mark.costly
def test_a_picture_is_inverted_once_and_edited_by_strength(
    at_work: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "EFFORT", Effort(3, 1, 3))
    seen, told = str(picture(tmp_path / "seen.png", seed=3)), list[int]()
    still = at_work.edit(Edit(seen, BELL, -40, 0, 0.0), told.append)
    assert sum(told) == 3
    before, after = pixels(still)
    assert before == after
    moved = at_work.edit(Edit(seen, BELL, -40, 0, 2.0), lambda _: pytest.fail("was inverted again"))
    assert pixels(moved)[0] == before
    assert not torch.equal(moved.z_D, still.z_D)
    with pytest.raises(InputError, match="no difference between the two sounds"):
        at_work.edit(Edit(seen, BELL, 0, 0, 1.0))
    with pytest.raises(InputError, match="give both"):
        at_work.edit(Edit(None, BELL))
