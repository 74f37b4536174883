import os
import re
import shlex
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from command_words import commands
from selected import first
from sound2scene import cli
from sound2scene.commands import doctor
from sound2scene.commands.resumption import measurement, resumption
from sound2scene.types import DivergedError, InputError

REPOSITORY = Path(__file__).resolve().parents[1]
TRAINER = REPOSITORY / "experiments" / "trainer.yaml"
TOY = TRAINER.parent / "align" / "toy.yaml"
FOLDERS = (".github", "experiments", "src")
PAGES = ["README.md", *sorted(page for folder in FOLDERS for page in (REPOSITORY / folder).rglob("*.md"))]
HEAVY = ("torch", "pytorch_lightning", "lightning_fabric", "matplotlib", "numpy", "PIL", "jsonargparse")
IMPORTED = f"""
import sys
from sound2scene import cli
for line in sys.stdin:
    try:
        print(line.strip(), cli.main(line.split()))
    except SystemExit as ended:
        print(line.strip(), ended.code)
print([name for name in {HEAVY} if name in sys.modules])
"""


def fails_in_one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that has to fail as a user's error; its message."""
    assert cli.main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("sound2scene: ")]
    assert len(lines) == 1
    return lines[0]


def test_help_and_version_of_every_word_import_nothing_heavy() -> None:
    words = {" ".join(words[:length]) for words in commands() for length in range(len(words) + 1)}
    lines = [*(f"{word} --help" for word in sorted(words)), "", "--version", "generate a.wav -o b -n 0"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for line in lines[:-1]:
        assert f"\n{line.strip()} 0\n" in f"\n{done.stdout}"
    assert "\ngenerate a.wav -o b -n 0 2\n" in done.stdout


def test_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main([])
    printed = capsys.readouterr().out
    for word in ("fit", "validate", "test", "predict", *{words[0] for words in commands()}):
        assert re.search(rf"^    {word} +[A-Z]", printed, flags=re.MULTILINE), word


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"sound2scene {metadata.version('sound2scene')}\n"


@pytest.mark.parametrize("word", ["fitt", "--", "--no-such-option", "", "prep"])
def test_a_word_that_is_no_command_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fails_in_one_line(capsys, word).endswith("see `sound2scene --help`")


@pytest.mark.costly
def test_a_misspelt_recipe_key_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    message = fails_in_one_line(
        capsys, "fit", "-c", str(TRAINER), "-c", str(TOY), "--model.init_args.warmup_stepz=3"
    )
    assert "warmup_stepz" in message


class DownloadError(InputError):
    """One of the package's own."""


def lightning_interrupted() -> None:
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


def raises(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a.csv: no such file"), 2, "a.csv: no such file"),
        (DownloadError("a.csv: gone"), 2, "a.csv: gone"),
        (DivergedError("step 3: loss is nan"), 2, "step 3: loss is nan"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C; run the same command again"),
        (KeyboardInterrupt("go on with x"), 130, "stopped by Ctrl-C; go on with x"),
        (None, 130, "stopped by Ctrl-C; run the same command again"),
    ],
)
def test_what_a_user_can_cause_is_one_line_and_a_status(
    error: BaseException | None,
    status: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def command() -> None:
        raises(error) if error is not None else lightning_interrupted()

    monkeypatch.setattr(doctor, "COMMAND", command)
    command.__doc__ = "Fails."
    assert cli.main(["doctor"]) == status
    assert capsys.readouterr() == ("", f"sound2scene: {line}\n")


@pytest.mark.parametrize("error", [ValueError("ours"), SystemExit(3), ImportError("no libtorch")])
def test_a_fault_of_the_program_keeps_its_traceback(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command() -> None:
        """Fails."""
        raise error

    monkeypatch.setattr(doctor, "COMMAND", command)
    with pytest.raises(type(error)) as caught:
        cli.main(["doctor"])
    assert caught.value is error


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as a POSIX shell does")
def test_ctrl_c_while_a_command_loads_is_one_line_and_status_130(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(600)\n")
    # A shell's background job is deaf to Ctrl-C, and so would this process be if these tests run in one.
    hear = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    work = "from sound2scene import cli; sys.exit(cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", f"{hear}; {work}", "verify", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    run = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "loading\n"
    run.send_signal(signal.SIGINT)
    _, err = run.communicate()
    assert (run.returncode, err) == (130, "sound2scene: stopped by Ctrl-C; run the same command again\n")


def command_lines(page: str | Path) -> list[str]:
    """Lines of code blocks that call the command, or have it called on several machines; continued ones
    joined, RECIPE standing for any recipe.
    """
    text = (REPOSITORY / page).read_text().replace("\\\n", " ")
    start = r"^\s*(?:\$ |srun |torchrun .*? --no-python +)?(?:\.venv/bin/)?sound2scene (.+)$"
    found = re.findall(start, text, flags=re.MULTILINE)
    lines = [re.sub(r"\s+#.*|\[--key value \.\.\.\]", "", line).strip() for line in found]
    return [line.replace("RECIPE", "experiments/align/toy.yaml") for line in lines]


def spoken_commands(page: str | Path) -> list[str]:
    """Commands in running text, between backticks; in tables, where `|` is escaped, they may have choices."""
    found = re.findall(r"`(?:\.venv/bin/)?sound2scene ([a-z][^`]*)`", (REPOSITORY / page).read_text())
    return [one.replace("\\|", "|") for one in found]


LINES = [line for page in PAGES for line in command_lines(page)]
ONE_OF_EACH = {line.split()[0]: line for line in reversed(LINES)}  # of each word its first


def test_the_pages_have_commands() -> None:
    assert {line.split()[0] for line in LINES} >= {"fit", "select", "prepare", "generate", "import"}


@pytest.mark.parametrize("line", first(dict.fromkeys([*ONE_OF_EACH.values(), *LINES]), len(ONE_OF_EACH)))
def test_every_command_line_of_the_pages_parses(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    given = shlex.split(line)
    if "--resume" in given or (given[0] in cli.RECIPES and given[1][0] != "-"):
        monkeypatch.chdir(tmp_path)  # a checkout may have such a run, after `make train-align`
        with pytest.raises(InputError, match=r"^runs/\S+: not there"):
            (resumption if "--resume" in given else measurement)(given)
        return
    monkeypatch.setattr(sys, "argv", ["sound2scene", *given, "--print_config"])
    if given[0] not in cli.RECIPES:
        assert callable(cli.bound(given))
        return
    with pytest.raises(SystemExit, match=r"^0$"):
        cli.main()


@pytest.mark.parametrize("spoken", [one for page in PAGES for one in spoken_commands(page)])
def test_every_command_in_the_running_text_of_the_pages_exists(spoken: str) -> None:
    words = set(commands()) | {(word,) for word in cli.RECIPES}
    nested = {found[0] for found in words if len(found) == 2}
    first, *rest = (part.split("|") for part in spoken.split())
    for word in first:
        assert word in nested or (word,) in words
        assert word not in nested or not rest or words.issuperset((word, choice) for choice in rest[0])


def printing(text: str) -> str:
    """A program whose command prints a text, to stdout and as its error."""
    return f"""
import sys
from sound2scene import cli
from sound2scene.commands import doctor
from sound2scene.types import InputError
def command():
    "Prints."
    print({text!r})
    raise InputError({text!r})
doctor.COMMAND = command
sys.exit(cli.main(["doctor"]))
"""


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {}])
def test_any_name_can_be_printed_on_any_terminal(variables: dict[str, str]) -> None:
    command = [sys.executable, "-c", printing("犬.wav \udcff é")]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
    assert len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1
    assert rb"\udcff" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
@pytest.mark.parametrize("arguments", [["doctor"], ["--help"], ["prepare", "toy", "--help"]])
def test_a_reader_that_has_gone_ends_a_command_quietly(arguments: list[str]) -> None:
    work = f"""
import sys
from sound2scene import cli
from sound2scene.commands import doctor
def command():
    "Prints much."
    for line in range(100_000):
        print(line)
doctor.COMMAND = command
sys.stdin.read()
sys.exit(cli.main({arguments!r}))
"""
    pipe = subprocess.PIPE
    run = subprocess.Popen([sys.executable, "-c", work], stdin=pipe, stdout=pipe, stderr=pipe)
    assert run.stdin
    assert run.stdout
    assert run.stderr
    run.stdout.close()
    run.stdin.close()
    assert run.stderr.read() == b""
    assert run.wait() in ((cli.UNREAD,) if arguments == ["doctor"] else (0, cli.UNREAD))


def test_a_broken_pipe_of_another_kind_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        """Talks to a process that has died."""
        raise BrokenPipeError

    monkeypatch.setattr(doctor, "COMMAND", command)
    with pytest.raises(BrokenPipeError):
        cli.main(["doctor"])


@pytest.mark.parametrize("word", [*cli.COMMANDS, *cli.RECIPES])
def test_ctrl_c_says_how_to_go_on(
    word: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "bound", stopped)
    assert cli.main([word]) == 130
    assert capsys.readouterr().err == f"sound2scene: stopped by Ctrl-C; {cli.GO_ON.get(word, cli.ANEW)}\n"
