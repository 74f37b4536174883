import json
import re
import signal
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torch import Tensor

import forked
from evaluating import CLIPS, Trial, made_trial, order
from sound2scene.cli import main
from sound2scene.evaluation.store import Store
from sound2scene.methods import hearing
from sound2scene.methods.hearing import FrozenAudioEncoder
from sound2scene.methods.sound2scene import SoundToScene
from spying import spied


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return made_trial(tmp_path_factory.mktemp("trial"))


@pytest.fixture(scope="module")
def whole(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of an evaluation that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "result.json"
    assert (
        main(
            [
                "evaluate",
                trial.ours,
                trial.ceiling,
                *order(trial, output),
            ]
        )
        == 0
    )
    return output


def figures(output: Path) -> dict[str, dict[str, Any]]:
    """Figures of each method, by name and network."""
    found = json.loads(output.read_text())
    return {
        method["name"]: {f"{one['name']} / {one['network']}": one for one in method["figures"]}
        for method in found["methods"]
    }


def test_every_figure_has_its_network_its_number_and_an_interval_around_it(whole: Path) -> None:
    found = figures(whole)["ours"]
    names = [name.partition(" / ")[0] for name in found]
    assert names == [
        "class recall at 1",
        "class recall at 5",
        "instance recall at 1",
        "instance recall at 10",
        "similarity to the real picture",
        "FID",
        "KID",
        "inception score",
        "precision",
        "density",
        "recall",
        "coverage",
    ]
    for name, one in found.items():
        if not name.startswith("KID"):
            assert one["low"] <= one["value"] <= one["high"], name
    assert found["FID / judge-resnet18_32px, 37 real own"]["n"] == 2 * CLIPS
    assert found["class recall at 1 / judge-resnet18_32px"]["n"] == CLIPS


def test_real_pictures_are_always_measured_and_are_as_good_as_real_ones(whole: Path) -> None:
    real = figures(whole)["real"]
    assert real["FID / judge-resnet18_32px, 37 real own"]["value"] == pytest.approx(0, abs=1e-3)
    assert real["precision / judge-resnet18_32px, 37 real own"]["value"] == 1
    assert real["instance recall at 1 / own_encoder_small64"]["value"] == 1


def test_the_result_says_what_it_rests_on(whole: Path, trial: Trial) -> None:
    found = json.loads(whole.read_text())
    assert found["command"][:2] == ["sound2scene", "evaluate"] or found["command"]
    assert found["protocol"]["name"] == "protocol"
    assert found["protocol"]["settings"]["draws"] == 2
    assert found["data"]["clips"] == CLIPS
    assert found["networks"].keys() == {"judge", "encoder"}
    (ours, *_) = found["methods"]
    assert (ours["kind"], ours["clips"], ours["absent"]) == ("sound2scene", CLIPS, [])
    assert ours["fingerprints"].keys() == {"audio_encoder", "generator"}
    assert ours["settings"]["generator"] == str(trial.folder / "generator")


def test_the_picture_beside_it_can_be_opened(whole: Path) -> None:
    with Image.open(whole.with_suffix(".png")) as picture:
        assert picture.width > 300


@pytest.mark.slow
def test_a_second_run_draws_only_the_method_that_is_new(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = SoundToScene.pictures

    def counted(
        self: SoundToScene, waveform_BT: Tensor, keys: Sequence[str], draws: int, seed: int
    ) -> Tensor:
        drawn.append(len(keys))
        return draw(self, waveform_BT, keys, draws, seed)

    monkeypatch.setattr(SoundToScene, "pictures", counted)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    assert main(["evaluate", trial.ours, *order(trial, first)]) == 0
    assert sum(drawn) == CLIPS
    assert main(["evaluate", trial.ours, "class_mean", *order(trial, second)]) == 0
    assert sum(drawn) == CLIPS
    assert figures(first)["ours"] == figures(second)["ours"]
    assert main(["evaluate", trial.ours, *order(trial, second, "--seed", "1")]) == 0
    assert sum(drawn) == 2 * CLIPS


def sounds_of(waveform_BT: Tensor) -> list[bytes]:
    """The sounds of a batch, by their samples."""
    return [sound_T.numpy().tobytes() for sound_T in waveform_BT]


@pytest.mark.costly
def test_a_sound_is_heard_once_by_all_methods_and_no_figure_depends_on_that(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = spied(monkeypatch, FrozenAudioEncoder, "encode", sounds_of)
    settings = trial.ours.partition(":")[2]
    words = [trial.ours, f"nearest:{settings.partition(',')[0]}", f"shuffled:{settings}"]
    once, anew = tmp_path / "once" / "result.json", tmp_path / "anew" / "result.json"
    assert main(["evaluate", *words, *order(trial, once)]) == 0
    first = list(chain(*heard))
    assert len(first) == len(set(first)) == CLIPS
    monkeypatch.setattr(hearing, "NUMBERS_KEPT", 1)
    assert main(["evaluate", *words, *order(trial, anew)]) == 0
    assert sum(map(len, heard)) > 3 * CLIPS
    assert figures(once) == figures(anew)


@pytest.mark.costly
def test_another_seed_or_another_network_is_another_protocol(
    trial: Trial, whole: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    assert main(["evaluate", "class_mean", *order(trial, other, "--seed", "1")]) == 0
    hashes = {json.loads(path.read_text())["protocol"]["fingerprint"] for path in (whole, other)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ours"], "unknown kind 'ours'"),
        (["class_mean", "--network", "judge"], "--network judge: is no NAME=PATH"),
        (["class_mean", "--network", "clip=x"], "--network clip: the protocol has encoder, judge"),
        (["class_mean", "--split", "tset"], "no split 'tset'"),
        (["class_mean", "--network", "judge=nowhere"], "nowhere: no artifact"),
    ],
)
def test_bad_orders_get_one_line_and_leave_nothing(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    output = tmp_path / "out" / "result.json"
    assert main(["evaluate", words[0], *order(trial, output, *words[1:])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not output.exists()


def test_a_protocol_for_other_classes_and_one_that_wants_hygiene_are_refused(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, message in (
        ("class_count: 5", "the protocol is for 5 classes, and the dataset has 3"),
        ("hygiene: true", "leaves out what `sound2scene hygiene` finds"),
    ):
        path = tmp_path / "other.yaml"
        path.write_text(trial.protocol.read_text() + key + "\n")
        changed = trial._replace(protocol=path)
        assert main(["evaluate", "class_mean", *order(changed, tmp_path / "result.json")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


@pytest.mark.costly
def test_the_table_is_printed(trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "class_mean", *order(trial, tmp_path / "result.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"protocol protocol \(\w{8}\), 37 clips of the split test of ", lines[0])
    assert lines[1].split()[:3] == ["method", "R@1", "↑"]
    assert [line.split()[0] for line in lines[2:4]] == ["class_mean", "real"]


def _killed(words: list[str], after: int) -> None:
    """Evaluate in this process until so many blocks are written, and be killed."""
    import os

    write, left = Store.write, [after]

    def counted(self: Store, block: Any) -> None:
        write(self, block)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    Store.write = counted  # type: ignore[method-assign]
    raise SystemExit(main(words))


@pytest.mark.slow
def test_two_kills_and_two_processes_leave_no_trace_in_the_figures(
    trial: Trial, whole: Path, tmp_path: Path
) -> None:
    words = ["evaluate", trial.ours, trial.ceiling]
    killed, pair = tmp_path / "killed" / "result.json", tmp_path / "pair" / "result.json"
    for after in (1, 2):
        assert forked.run(_killed, [*words, *order(trial, killed)], after).status == -signal.SIGKILL
        assert not killed.exists()
    ended = forked.run(forked.command, *words, *order(trial, killed))
    assert ended.status == 0, ended.err[-3000:]
    ends = forked.run_pair(forked.command, *words, *order(trial, pair, "--devices", "2"))
    for one in sorted(ends, key=lambda end: end.status == -signal.SIGKILL):
        assert one.status == 0, one.err[-3000:]
    assert figures(killed) == figures(whole)
    assert figures(pair) == figures(whole)
