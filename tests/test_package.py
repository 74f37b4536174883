import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import sound2scene

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_package_alone_imports_nothing_heavy() -> None:
    code = "import sys, sound2scene; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "numpy", "importlib.metadata"}.isdisjoint(done.stdout.split())


def test_the_names_that_users_type_are_there() -> None:
    from sound2scene.methods.sound2scene import SoundToScene

    assert sound2scene.SoundToScene is SoundToScene
    assert {"SoundToScene", "__version__"} <= set(dir(sound2scene))


def test_the_version_is_that_of_the_installed_package() -> None:
    assert sound2scene.__version__ == metadata.version("sound2scene")


def test_the_metadata_name_version_licence_and_author_as_the_licence_does() -> None:
    about = metadata.metadata("sound2scene")
    stated = configparser.ConfigParser()
    stated.read(REPOSITORY / "setup.cfg")
    assert stated["metadata"]["author"] in (REPOSITORY / "LICENSE").read_text()
    assert about["Version"] == stated["metadata"]["version"]
    assert about["Summary"] == stated["metadata"]["description"]
    assert sound2scene.__doc__ is not None
    assert len(sound2scene.__doc__.split()) > 10


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.slow
def test_building_from_a_checkout_leaves_nothing_in_it_and_an_archive_builds_too(tmp_path: Path) -> None:
    checkout, built = tmp_path / "checkout", tmp_path / "built"
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in tracked:
        if name.startswith(("src", ".ci", "experiments")) or "/" not in name:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, checkout / name)
    built.mkdir()
    before = files(checkout)
    code = "import sys; sys.path.insert(0, '.ci'); sys.dont_write_bytecode = True; import build_in_copy as b;"
    # setuptools changes the arguments of the process.
    code += (
        "out = sys.argv[1]; b.prepare_metadata_for_build_wheel(out); b.build_wheel(out); b.build_sdist(out)"
    )
    subprocess.run([sys.executable, "-c", code, str(built)], cwd=checkout, check=True, capture_output=True)
    assert files(checkout) == before
    (wheel,) = built.glob("*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    shipped = {name.removeprefix("sound2scene/shipped/") for name in inside if "/shipped/" in name}
    assert shipped == {
        name.removeprefix("experiments/")
        for name in tracked
        if name.startswith("experiments/") and not name.endswith((".md", ".py", ".sh"))
    }
    modules = {
        name.removeprefix("src/") for name in tracked if name.startswith("src") and name.endswith(".py")
    }
    assert modules <= set(inside)
    about = zipfile.ZipFile(wheel).read(next(name for name in inside if name.endswith("METADATA"))).decode()
    assert "Author: sound2scene authors\n" in about
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = tmp_path / "again"
    again.mkdir()
    subprocess.run([sys.executable, "-c", code, str(again)], cwd=unpacked, check=True, capture_output=True)
    assert zipfile.ZipFile(next(again.glob("*.whl"))).namelist() == inside


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        sound2scene.Nonsense  # noqa: B018


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The package from its wheel in an environment of its own, with what it needs from this one."""
    code = "import sys; sys.path.insert(0, '.ci'); sys.dont_write_bytecode = True; import build_in_copy as b;"
    build = [sys.executable, "-c", code + "b.build_wheel(sys.argv[1])", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, "--python", environment / "bin" / "python", wheel], check=True)
    (packages,) = environment.glob("lib/*/site-packages")
    # Folders alone: what an editable install leaves in them is not run, so that the checkout stays away.
    needed = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "needed.pth").write_text("\n".join(needed))
    return environment / "bin"


@pytest.mark.slow
def test_an_installed_wheel_draws_lists_measures_and_trains_outside_the_repository(
    installed: Path, tmp_path: Path
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    shutil.copy(REPOSITORY / "experiments" / "sounds" / "bell.flac", elsewhere)

    def run(*command: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    python, program = str(installed / "python"), str(installed / "sound2scene")
    where = run(python, "-c", "import sound2scene; print(sound2scene.__file__)").strip()
    assert Path(where).is_relative_to(installed.parent)
    assert "align/toy\n" in run(program, "recipes")
    assert run(program, "models").count(": on disk, ") == 3
    run(program, "generate", "bell.flac", "-o", "drawn")
    assert (elsewhere / "drawn" / "bell.png").is_file()
    small = ("--train", "32", "--val", "16", "--test", "16")
    run(program, "prepare", "toy", "-o", "data/toy/shards-true", *small)
    few = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]
    few += ["--data.init_args.batch_size", "8", "--data.init_args.train_clips", "32"]
    few += ["--data.init_args.frame", "true"]
    run(program, "fit", "-c", "align/toy", *few)
    assert (elsewhere / "artifacts" / "toy" / "audio-encoder" / "card.json").is_file()
    measure = (
        "sound2scene",
        "--data",
        "data/toy/shards-true",
        "-o",
        "results.json",
        "--protocol",
        "toy",
    )
    run(program, "evaluate", *measure)
    assert (elsewhere / "results.json").is_file()
