import subprocess
import sys
from importlib import metadata

import pytest

import sound2scene


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


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        sound2scene.Nonsense  # noqa: B018
