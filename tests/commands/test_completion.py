import subprocess
import sys

import pytest

from sound2scene import cli
from sound2scene.commands.words import COMMANDS, RECIPES


def completed(line: str, script: str) -> set[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    typed = " ".join(f"'{word}'" for word in words)
    code = (
        f"{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}\n"
        f"COMP_LINE='{line}'; COMP_POINT={len(line)}\n"
        'function=$(complete -p sound2scene | sed "s/.*-F \\([^ ]*\\).*/\\1/"); $function 2>/dev/null\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def test_bash_completes_words_options_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed("sound2scene ", script) >= {*COMMANDS, *RECIPES}
    assert completed("sound2scene gene", script) == {"generate"}
    assert {"--audio-encoder", "--truncation"} <= completed("sound2scene generate --", script)
    assert completed("sound2scene export --to ", script) == {"hf-folder"}
    assert "vggsound" in completed("sound2scene prepare ", script)


def test_bash_completes_files(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out
    assert "setup.cfg" in completed("sound2scene generate setup.c", script)
    assert "setup.cfg" in completed("sound2scene prepare videos setup.c", script)


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_other_shells_get_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert "audio-encoder" in capsys.readouterr().out


def test_a_shell_of_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "ksh"]) == 2
    assert "invalid choice: 'ksh'" in capsys.readouterr().err


def test_without_the_extra_one_line_says_how_to_have_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 2
    assert "pip install 'sound2scene[completion]'" in capsys.readouterr().err
