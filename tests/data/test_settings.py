import subprocess
import sys

from sound2scene.data import settings
from sound2scene.data.settings import MIDDLE, MomentSettings


def test_a_command_finds_its_defaults_without_waiting_for_torch_or_numpy() -> None:
    code = "import sys, sound2scene.data.settings; print(*{'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_where_nothing_is_said_nothing_is_selected_and_pictures_suit_the_presets() -> None:
    assert MomentSettings() == MIDDLE == (None, None, settings.SHORT_SIDE_PX)
    assert settings.SHORT_SIDE_PX == 256  # the preset `squeeze` begins there


def test_shares_leave_something_to_train_on() -> None:
    shares = {name: value for name, value in vars(settings).items() if name.endswith("_SHARE")}
    assert len(shares) == 8
    assert all(0 <= value <= 0.2 for value in shares.values())
