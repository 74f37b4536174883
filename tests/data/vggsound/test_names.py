import random
import string

import pytest

from sound2scene.data.vggsound.names import ClipName, clip_name
from sound2scene.types import InputError

ALPHABET = string.ascii_letters + string.digits + "_-"


def spellings(name: ClipName) -> list[str]:
    return [name.in_ms(), name.in_s(), f"{name.video}_{name.start_ms / 1000:.3f}"]


def generated(count: int) -> list[ClipName]:
    """Ids thick with `_` and `-`, and digits where a start might be looked for."""
    rng = random.Random(0)
    ids = ["-" * 11, "_" * 11, "0123456_000", "_000030_000", "-1_2_3-4_5_", "12345678901", "_10000_2000"]
    ids += ["".join(rng.choice(ALPHABET + "__--") for _ in range(11)) for _ in range(count)]
    return [ClipName(video, 1000 * rng.choice((0, 1, 30, 999, 12_345))) for video in ids]


def test_every_spelling_of_a_generated_name_comes_back() -> None:
    for name in generated(2000):
        assert [ClipName.parse(spelling) for spelling in spellings(name)] == [name] * 3


def test_known_names_mean_what_their_sources_say() -> None:
    assert ClipName.parse("-1pRmoJIGQc_10000_20000") == ("-1pRmoJIGQc", 10_000)
    assert ClipName.parse("0B4dYTMsgHA_000130") == ("0B4dYTMsgHA", 130_000)
    assert ClipName.parse("00W1lcxW-WU_40.000") == ("00W1lcxW-WU", 40_000)
    assert ClipName.parse("-21-GT2EIM_174000_184000") == (
        "-21-GT2EIM",
        174_000,
    )  # one of the table has 10 characters
    assert ClipName.parse("-21-GT2EIM_000224") == ("-21-GT2EIM", 224_000)
    assert ClipName("0B4dYTMsgHA", 130_000).in_ms() == "0B4dYTMsgHA_130000_140000"
    assert ClipName("0B4dYTMsgHA", 130_000).in_s() == "0B4dYTMsgHA_000130"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "dog",
        "0B4dYTMsgHA",
        "0B4dYTMsgHA_30",
        "0B4dYTMsgHA_30_",
        "0B4dYTMsgH_000030",
        "0B4dYTMsgHAA_000030",
        "0B4dYTMsgHA_20000_10000",
        "0B4dYTMsgHA_10000_10000",
        "0B4dYTMsgHA_-10_10000",
        "0B4dYTMsgHA_000030.mp4",
        "../0B4dYTMsgHA_000030",
        "0B4dYTMsg A_000030",
        "0B4dYTMsgHA_000030\n",
        "0B4dYTMsgHA_٠٠٠٠٣٠",
    ],
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not a VGGSound name") as caught:
        ClipName.parse(name)
    assert "\n" not in str(caught.value)


def test_a_start_within_a_second_has_no_name_in_seconds() -> None:
    assert ClipName.parse("0B4dYTMsgHA_1500_11500").start_ms == 1500
    with pytest.raises(InputError, match="does not start at a whole second"):
        ClipName("0B4dYTMsgHA", 1500).in_s()


def test_a_name_is_known_in_any_spelling_and_folder_and_nothing_else_is() -> None:
    for name in ("0B4dYTMsgHA_000130", "a/b/0B4dYTMsgHA_130.000", "0B4dYTMsgHA_130000_140000"):
        assert clip_name(name) == "0B4dYTMsgHA_130000_140000"
    assert clip_name("holiday") is None
