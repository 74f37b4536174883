from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sound2scene.evaluation.protocol import FOLDER, Network, Protocol, read, with_changes
from sound2scene.types import InputError

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN: dict[str, Any] = {
    "about": "a test",
    "side": 32,
    "networks": {"judge": {"kind": "judge", "source": "judge"}},
    "classes": ["judge"],
}


def written(folder: Path, **changes: Any) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(PLAIN | changes))
    return str(path)


@pytest.mark.parametrize("path", sorted((REPOSITORY / FOLDER).glob("*.yaml")), ids=lambda path: path.stem)
def test_every_protocol_of_the_repository_reads(path: Path) -> None:
    assert read(str(path)).about


def test_the_five_protocols_are_there() -> None:
    names = {path.stem for path in (REPOSITORY / FOLDER).glob("*.yaml")}
    assert names == {"toy", "pairs", "vegas5_paper", "vggsound50_paper", "vggsound_clean"}


def test_the_papers_protocols_ask_clip_by_its_vit_b_32_and_a_stated_prompt() -> None:
    for name in ("vegas5_paper", "vggsound50_paper"):
        clip = read(str(REPOSITORY / FOLDER / f"{name}.yaml")).networks["clip"]
        assert (clip.kind, clip.name, clip.template) == ("clip", "ViT-B-32", "{}")


def test_an_unknown_name_lists_the_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(InputError, match="protocol 'tyo' is unknown; choose one of pairs, toy"):
        read("tyo")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sied": 3}, "unknown field `sied`"),
        ({"side": 0}, "Expected `int` >= 1 - at `\\$.side`"),
        ({"classes": ["jugde"]}, "classes names 'jugde', which networks does not; add it there"),
        ({"classes": []}, "nothing uses the network 'judge'; remove it"),
        ({"networks": {"judge": {"kind": "judge"}}}, "kind judge; add its source"),
        ({"networks": {"judge": {"kind": "timm", "source": "x"}}}, "kind timm; add its name"),
        ({"networks": {"judge": {"kind": "clip", "name": "x", "template": "a bell"}}}, "template has no {}"),
        ({"networks": {"judge": {"kind": "reader", "source": "x"}}}, "classes names 'judge', a reader"),
        ({"reader": "judge", "classes": []}, "reader names 'judge', a judge"),
        ({"networks": {"../x": {"kind": "judge", "source": "x"}}}, "Expected `str` matching regex"),
    ],
)
def test_a_wrong_protocol_is_refused_by_file_and_key(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(written(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2", "!!python/object/apply:os.system ['true']", "\xff", "- 1"])
def test_what_is_no_protocol_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"protocols/README\.md"):
        read(str(path))


def test_the_fingerprint_changes_with_every_setting_but_the_words_about_it(tmp_path: Path) -> None:
    known = {"judge": "abc"}
    plain = read(written(tmp_path))
    first = plain.fingerprint(known)
    others: dict[str, Any] = {
        "side": 33,
        "networks": {"judge": Network("judge", "judge", template="a {}")},
        "sets": ["judge"],
        "classes": ["judge", "judge"],
        "instances": ["judge"],
        "pairs": ["judge"],
        "cmmd": ["judge"],
        "reader": "judge",
        "split": "val",
        "reference": "train",
        "draws": 2,
        "seed": 1,
        "class_ks": [1],
        "instance_ks": [1],
        "kid_subset": 5,
        "kid_subsets": 5,
        "neighbours": 3,
        "resamples": 5,
        "set_resamples": 5,
        "class_count": 5,
        "hygiene": True,
    }
    assert others.keys() == set(Protocol.__struct_fields__) - {"about"}
    for name, value in others.items():
        assert msgspec.structs.replace(plain, **{name: value}).fingerprint(known) != first, name
    assert msgspec.structs.replace(plain, about="other words").fingerprint(known) == first


def test_the_fingerprint_knows_networks_by_their_weights_not_by_where_they_lie(tmp_path: Path) -> None:
    plain = read(written(tmp_path))
    moved = with_changes(plain, {"judge": "elsewhere"})
    assert moved.networks["judge"].source == "elsewhere"
    assert moved.fingerprint({"judge": "abc"}) == plain.fingerprint({"judge": "abc"})
    assert moved.fingerprint({"judge": "abd"}) != plain.fingerprint({"judge": "abc"})


def test_a_command_line_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    plain = read(written(tmp_path))
    changed = with_changes(plain, {}, split="val", draws=None, seed=3)
    assert (changed.split, changed.draws, changed.seed) == ("val", plain.draws, 3)
    assert changed.networks == plain.networks
    with pytest.raises(InputError, match="--network clip: the protocol has judge; name one of these"):
        with_changes(plain, {"clip": "x"})
