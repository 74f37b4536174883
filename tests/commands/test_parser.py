import math
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import pytest

from command_words import commands
from sound2scene.commands.parser import Option, Output, Share, UsageError, arguments_of, bind, summary

COMMANDS = commands()
given: dict[str, Any] = {}


def cook(
    dishes: list[Path],
    *,
    output: Output,
    hours: float = 1.5,
    salt: Share = 0.1,
    guests: Annotated[int, Option("-g", at_least=1)] = 2,
    heat: Annotated[float | None, Option(above=0)] = None,
    oven: Literal["gas", "100 % solar"] = "gas",
    spoons: Annotated[list[int] | None, Option(at_least=0)] = None,
    quiet: bool = False,
    name: str | None = None,
) -> int:
    """Cook dishes; 100 % vegetarian.

    More words that no list shows.

    Args:
        dishes: Files of the
            dishes.
        output: Where to serve.
        hours: Time, 50 % of it rest.
        salt: Share of salt.
        guests: Guests to feed.
        heat: Degrees.
        oven: Kind of oven.
        spoons: Sizes of the spoons.
        quiet: Say nothing.
        name: Name of the meal.
    """
    given.update(locals())
    return 7


def clean(room: Path = Path("kitchen")) -> None:
    """Clean a room.

    Args:
        room: Which one.
    """
    given.update(locals())


def cooked(*arguments: str) -> dict[str, Any]:
    given.clear()
    assert bind("house cook", cook, ["a", "b", "-o", "table", *arguments])() == 7
    return dict(given)


def refused(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        bind("house cook", cook, arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith("; see `house cook --help`")
    return message


def test_defaults_are_those_of_the_signature() -> None:
    assert cooked() == {
        "dishes": [Path("a"), Path("b")],
        "output": Path("table"),
        "hours": 1.5,
        "salt": 0.1,
        "guests": 2,
        "heat": None,
        "oven": "gas",
        "spoons": None,
        "quiet": False,
        "name": None,
    }


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--hours", "2"], "hours", 2.0),
        (["--hours=-2e3"], "hours", -2000.0),
        (["-g", "5"], "guests", 5),
        (["--guests", "5"], "guests", 5),
        (["--oven", "100 % solar"], "oven", "100 % solar"),
        (["--spoons", "1", "0"], "spoons", [1, 0]),
        (["--quiet"], "quiet", True),
        (["--name", "12"], "name", "12"),
        (["--output", "floor"], "output", Path("floor")),
        (["--salt", "0"], "salt", 0.0),
        (["--salt", "0.999"], "salt", 0.999),
        (["--heat", "1e-9"], "heat", 1e-9),
    ],
)
def test_an_option_is_read_as_its_annotation_says(arguments: list[str], name: str, value: object) -> None:
    found = cooked(*arguments)[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--guests", "0"], "argument -g/--guests: must be at least 1, not 0"),
        (["--guests", "2.5"], "argument -g/--guests: invalid int value: '2.5'"),
        (["--salt", "1"], "argument --salt: must be at least 0 and below 1, not 1"),
        (["--salt", "-0.1"], "argument --salt: must be at least 0 and below 1, not -0.1"),
        (["--salt", "nan"], "argument --salt: must be at least 0 and below 1, not nan"),
        (["--heat", "0"], "argument --heat: must be above 0, not 0"),
        (["--heat", "inf"], "argument --heat: must be above 0, not inf"),
        (["--hours", "nan"], "argument --hours: must be finite, not nan"),
        (["--hours=-inf"], "argument --hours: must be finite, not -inf"),
        (["--hours", "soon"], "argument --hours: invalid float value: 'soon'"),
        (["--spoons", "1", "-1"], "argument --spoons: must be at least 0, not -1"),
        (["--oven", "coal"], "argument --oven: invalid choice: 'coal'"),
        (["--cold"], "unrecognized arguments: --cold"),
        (["--output", "/dev/null/table"], "argument -o/--output: /dev/null/table cannot be written"),
        (["--two\nlines"], "unrecognized arguments: --two lines"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(arguments: list[str], message: str) -> None:
    assert message in refused("-o", "table", "--quiet", *arguments, "--", "dish")


def test_what_has_no_default_is_required() -> None:
    assert "required: DISHES, -o/--output" in refused()


def test_a_whole_number_of_any_length_is_compared() -> None:
    assert cooked("--guests", "9" * 400)["guests"] == int("9" * 400)


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The help, its lines joined."""
    with pytest.raises(SystemExit, match=r"^0$"):
        bind("house", {"cook": cook, "clean": clean}, [*words, "--help"])
    return " ".join(capsys.readouterr().out.split())


def test_help_says_what_docstring_defaults_and_ranges_say(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "cook")
    for line in (
        "usage: house cook [-h]",
        "Cook dishes; 100 % vegetarian.",
        "DISHES Files of the dishes",
        "-g GUESTS, --guests GUESTS Guests to feed (default: 2; at least 1)",
        "--hours HOURS Time, 50 % of it rest (default: 1.5)",
        "--salt SALT Share of salt (default: 0.1; at least 0 and below 1)",
        "--heat HEAT Degrees (above 0)",
        "--oven {gas,100 % solar} Kind of oven (default: gas)",
        "--quiet Say nothing --name NAME Name of the meal",
    ):
        assert line in found


def test_several_commands_are_chosen_by_their_word(capsys: pytest.CaptureFixture[str]) -> None:
    house = {"cook": cook, "clean": clean}
    assert bind("house", house, ["clean"])() is None
    assert given["room"] == Path("kitchen")
    bind("house", house, ["clean", "cellar"])()
    assert given["room"] == Path("cellar")
    assert "cook Cook dishes; 100 % vegetarian clean Clean a room" in printed(capsys)
    with pytest.raises(UsageError, match="required: WORD; see `house --help`"):
        bind("house", house, [])
    with pytest.raises(UsageError, match=r"invalid choice: 'burn'.* see `house --help`"):
        bind("house", house, ["burn"])
    with pytest.raises(UsageError, match="unrecognized arguments: --fast"):
        bind("house", house, ["clean", "--fast"])


def test_a_zero_is_shown_as_a_default(capsys: pytest.CaptureFixture[str]) -> None:
    def wait(*, seconds: int = 0) -> None:
        """Wait.

        Args:
            seconds: How long.
        """

    with pytest.raises(SystemExit, match=r"^0$"):
        bind("wait", wait, ["--help"])
    assert "--seconds SECONDS How long (default: 0)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("kind", [dict[str, int], int | str, Annotated[int, Option()] | None, bytes])
def test_a_type_that_no_text_gives_is_a_fault_of_the_program(kind: Any) -> None:
    def command(*, thing: int) -> None:
        """Do.

        Args:
            thing: It.
        """

    command.__annotations__["thing"] = kind
    with pytest.raises(TypeError, match="a command line cannot give a"):
        bind("do", command, [])


def test_an_argument_without_a_line_in_the_docstring_is_a_fault_of_the_program() -> None:
    def command(*, thing: int) -> None:
        """Do."""

    with pytest.raises(KeyError, match="thing"):
        bind("do", command, [])


class Oven(NamedTuple):
    """How to bake.

    Attributes:
        tin: Where it lies.
        degrees: How hot.
    """

    tin: Path
    degrees: Annotated[int, Option("-d", between=(50, 300))] = 180


def bake(cakes: list[str], *, oven: Oven, quick: bool = False) -> None:
    """Bake.

    Args:
        cakes: What.
        oven: How.
        quick: Do it at once.
    """
    given.update(locals())


def test_fields_of_a_named_tuple_are_options_that_come_back_as_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bind("bake", bake, ["plum", "--tin", "old", "--quick"])()
    assert (given["cakes"], given["oven"], given["quick"]) == (["plum"], Oven(Path("old"), 180), True)
    bind("bake", bake, ["plum", "--tin", "old", "-d", "200"])()
    assert given["oven"] == Oven(Path("old"), 200)
    with pytest.raises(UsageError, match="required: --tin"):
        bind("bake", bake, ["plum"])
    with pytest.raises(UsageError, match=r"-d/--degrees: must be between 50 and 300, not 20"):
        bind("bake", bake, ["plum", "--tin", "old", "-d", "20"])
    with pytest.raises(SystemExit):
        bind("bake", bake, ["--help"])
    found = " ".join(capsys.readouterr().out.split())
    assert (
        "--tin TIN Where it lies -d DEGREES, --degrees DEGREES How hot (default: 180; between 50 and 300)"
        in found
    )


def test_a_summary_is_the_first_line() -> None:
    assert summary("Cook 100 %.\n\nLong.") == "Cook 100 %%"
    assert summary(None) == ""


def options(words: tuple[str, ...]) -> dict[str, Option]:
    """The options of a command that have a name or a range, by parameter."""
    return {
        one.name: get_args(one.hint)[1]
        for one in arguments_of(COMMANDS[words])
        if get_origin(one.hint) is Annotated and isinstance(get_args(one.hint)[1], Option)
    }


def outside(option: Option) -> list[float]:
    """Numbers next to the ends of a range, and such as are none."""
    low, high = option.between
    found = [end - step for end, step in ((low, 1), (high, -1), (option.at_least, 1), (option.above, 0))]
    found.append(option.below)
    return [*(end for end in found if math.isfinite(end)), math.nan, math.inf]


RANGES = [
    (words, name, value)
    for words in COMMANDS
    for name, option in options(words).items()
    if option.range()
    for value in outside(option)
]


@pytest.mark.parametrize(("words", "name", "value"), RANGES)
def test_every_option_with_a_range_refuses_what_lies_outside(
    words: tuple[str, ...], name: str, value: float
) -> None:
    option = options(words)[name]
    long = next((one for one in option.names if one.startswith("--")), f"--{name.replace('_', '-')}")
    with pytest.raises(UsageError, match=rf"^argument \S*{long}: (must be|invalid int value)"):
        bind("x", COMMANDS[words], [f"{long}={value}"])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_default_lies_in_its_own_range(words: tuple[str, ...]) -> None:
    defaults = {one.name: one.default for one in arguments_of(COMMANDS[words])}
    for name, option in options(words).items():
        default = defaults[name]
        assert not isinstance(default, int | float) or option.holds(default), name


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_number_of_a_command_has_a_range(words: tuple[str, ...]) -> None:
    found = options(words)
    for one in arguments_of(COMMANDS[words]):
        kind = get_args(one.hint)[0] if get_origin(one.hint) is Annotated else one.hint
        if {int, float} & {kind, *get_args(kind)}:
            assert found[one.name].range(), one.name


def test_a_value_may_begin_with_a_minus() -> None:
    def command(*, gains: str = "") -> None:
        """Do something.

        Args:
            gains: Some gains.
        """
        told.append(gains)

    told: list[str] = []
    for text in ("-16:16:4", "-3,0", "-.5:1:.5"):
        bind("x", command, ["--gains", text])()
    assert told == ["-16:16:4", "-3,0", "-.5:1:.5"]
    with pytest.raises(UsageError, match="expected one argument"):
        bind("x", command, ["--gains", "--none"])
