from pathlib import Path

import pytest

from sound2scene import cli
from sound2scene.published.models import MODELS


def test_the_list_says_of_every_model_what_is_on_disk_its_address_and_its_licence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUND2SCENE_CACHE", str(tmp_path))
    assert cli.main(["models"]) == 0
    told = capsys.readouterr().out
    for name, model in MODELS.items():
        assert f"{name}: {model.about}" in told
        for part in model.parts.values():
            assert part.published.address in told
            assert part.published.licence in told
    assert told.count("on disk, ") == 3
    assert told.count("not on disk") == 3
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_on_disk_is_named_by_its_folders(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "toy"]) == 0
    assert capsys.readouterr().out.splitlines()[2] == f"generator: {MODELS['toy'].folders['generator']}"


@pytest.mark.parametrize(
    ("words", "reason"), [(["nonsense"], "no such model"), (["--generator", "a.tar.gz"], "of which model")]
)
def test_what_is_no_model_is_refused_in_one_line(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["models", *words]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("\n") == 1
