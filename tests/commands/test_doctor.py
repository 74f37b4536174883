"""The doctor on this machine, and on installations broken on purpose in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sound2scene.commands import doctor

COMMAND = "import sys; from sound2scene import cli; sys.exit(cli.main(['doctor', '--json']))"


def missing(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(done.stdout) if finding["status"] == "missing"}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the doctor says where torch claims to be old and torchaudio does not load."""
    shadow = tmp_path_factory.mktemp("shadow")
    about = shadow / "torch-2.0.0.dist-info" / "METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.0.0\n")
    (shadow / "torchaudio.py").write_text("raise OSError('libcudart.so.13: cannot open shared object file')")
    environment = os.environ | {"PYTHONPATH": str(shadow)}
    command = [sys.executable, "-c", COMMAND]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def findings() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.report()}


def test_nothing_is_missing_where_the_tests_run(findings: dict[str, doctor.Finding]) -> None:
    assert [finding for finding in findings.values() if finding.status == "missing"] == []


def test_every_area_is_looked_at(findings: dict[str, doctor.Finding]) -> None:
    areas = {finding.area for finding in findings.values()}
    assert areas == {"python", "packages", "devices", "media", "tracking", "disk"}


def test_versions_found_are_those_imported(findings: dict[str, doctor.Finding]) -> None:
    import soundfile
    import timm

    assert findings["timm"].found == timm.__version__
    assert findings["libsndfile"].found.startswith(soundfile.__libsndfile_version__)


def test_the_encoders_that_the_toy_videos_need_are_present(findings: dict[str, doctor.Finding]) -> None:
    assert findings["libx264 encoder"].found == findings["aac encoder"].found == "present"


def test_a_version_out_of_range_is_missing_and_the_remedy_names_the_range() -> None:
    finding = doctor.requirement(Requirement("timm >=99"))
    assert finding.status == "missing"
    assert "outside >=99" in finding.found
    assert "timm>=99" in finding.remedy


def test_an_absent_package_is_missing() -> None:
    finding = doctor.requirement(Requirement("sound2scene-no-such-package >=1"))
    assert (finding.status, finding.found) == ("missing", "not installed")


def test_a_codec_that_ffmpeg_lacks_is_missing_with_a_remedy() -> None:
    finding = doctor.codec("nonesuch", "w")
    assert finding.status == "missing"
    assert "make install" in finding.remedy


def test_little_disk_is_a_note_with_a_remedy(tmp_path: Path) -> None:
    assert doctor.disk(tmp_path, needed_gb=0).status == "ok"
    finding = doctor.disk(tmp_path, needed_gb=1e9)
    assert finding.status == "note"
    assert finding.remedy


def test_the_command_ends_with_0_and_prints_every_finding(
    capsys: pytest.CaptureFixture[str], findings: dict[str, doctor.Finding]
) -> None:
    assert doctor.doctor() == 0
    table = capsys.readouterr().out
    assert [name for name in findings if f" {name} " not in table] == []
    assert table.endswith("nothing is missing\n")


@pytest.mark.slow
def test_a_broken_installation_ends_the_command_with_1(broken: subprocess.CompletedProcess[str]) -> None:
    assert (broken.returncode, broken.stderr) == (1, "")


@pytest.mark.slow
def test_an_old_torch_is_found_by_the_package_metadata(broken: subprocess.CompletedProcess[str]) -> None:
    torch = missing(broken)["torch"]
    assert "2.0.0, outside" in torch["found"]
    assert "pip install 'torch" in torch["remedy"]


@pytest.mark.costly
def test_a_torch_that_does_not_load_is_a_finding_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcuda.so.1: cannot open shared object file')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", COMMAND]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "libcuda.so.1" in missing(done)["import torch"]["found"]


@pytest.mark.slow
def test_a_torchaudio_that_does_not_load_is_a_finding_not_a_traceback(
    broken: subprocess.CompletedProcess[str],
) -> None:
    assert missing(broken).keys() == {"torch", "import torchaudio"}
    assert "libcudart.so.13" in missing(broken)["import torchaudio"]["found"]
