from pathlib import Path

import pytest

from sound2scene import artifacts, cli
from sound2scene.published import icgan, sound2scene, swav, timm_weights


@pytest.mark.parametrize(
    ("words", "module", "function", "expected"),
    [
        (["swav", "published"], swav, "import_swav", ("published", Path("out"), "squeeze")),
        (["swav", "a.pth", "--preset", "icgan128"], swav, "import_swav", ("a.pth", Path("out"), "icgan128")),
        (["timm", "resnet18"], timm_weights, "import_timm", ("resnet18", Path("out"), None, None)),
        (
            ["timm", "resnet18", "--weights", "a.pth", "--preset", "small64"],
            timm_weights,
            "import_timm",
            ("resnet18", Path("out"), Path("a.pth"), "small64"),
        ),
        (
            ["icgan", "https://a.org/b.tar.gz", "--image-encoder", "artifacts/swav"],
            icgan,
            "import_icgan",
            ("https://a.org/b.tar.gz", Path("out"), "artifacts/swav"),
        ),
        (["audio-encoder", "a.pth"], sound2scene, "import_audio_encoder", ("a.pth", Path("out"), None)),
    ],
)
def test_each_layout_is_read_by_its_own_and_the_licence_is_printed(
    words: list[str],
    module: object,
    function: str,
    expected: tuple[object, ...],
    tiny_image_encoder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[object, ...]] = []

    def imported(*arguments: object) -> Path:
        given.append(arguments)
        return tiny_image_encoder

    monkeypatch.setattr(module, function, imported)
    assert cli.main(["import", *words, "-o", "out"]) == 0
    assert given == [expected]
    card = artifacts.read_card(tiny_image_encoder)
    assert card.licence is None
    assert capsys.readouterr().out == f"{tiny_image_encoder}: {card.class_path}\nlicence: unknown\n"


def test_a_source_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["import", "swav", str(tmp_path / "none.pth"), "-o", str(tmp_path / "out")]) == 2
    assert str(tmp_path / "none.pth") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
