import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from sound2scene import audio
from sound2scene.demo import limits
from sound2scene.demo.limits import read_image, read_sound
from sound2scene.types import InputError

BELL = Path(__file__).resolve().parents[2] / "experiments" / "sounds" / "bell.flac"


def test_a_sound_within_the_limits_is_read_as_audio_load_reads_it() -> None:
    assert np.array_equal(read_sound(BELL), audio.load(BELL))


def test_a_long_sound_is_refused_by_its_header_before_any_of_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.flac", np.zeros(700 * 100, np.float32), 100, format="FLAC")
    monkeypatch.setattr(audio, "load", lambda path: pytest.fail("was decoded"))
    with pytest.raises(InputError, match=r"^long\.flac: lasts 700 s, more than 600 s; cut out the part"):
        read_sound(tmp_path / "long.flac")


@pytest.mark.parametrize("read", [read_sound, read_image])
def test_a_large_file_is_refused_before_it_is_opened_by_a_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read
) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(limits.LARGEST_BYTES + 2**20)
    with pytest.raises(InputError, match=r"^large: has 33 MiB, more than 32 MiB; give a smaller file$"):
        read(path)


def test_what_is_no_sound_and_no_picture_is_called_by_its_name_alone(tmp_path: Path) -> None:
    path = tmp_path / "words.wav"
    path.write_text("no sound")
    with pytest.raises(InputError, match=r"^words\.wav: not a sound"):
        read_sound(path)
    with pytest.raises(InputError, match=r"^words\.wav: not a picture"):
        read_image(path)
    with pytest.raises(InputError, match=r"^gone: cannot be opened"):
        read_image(tmp_path / "gone")


def claiming(path: Path, width: int, height: int) -> None:
    """A PNG of one pixel whose header tells another size."""
    Image.new("L", (1, 1)).save(path)
    content = path.read_bytes()
    header = content[12:16] + struct.pack(">II", width, height) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    claiming(tmp_path / "wide.png", 10_000, 5_000)
    with pytest.raises(InputError, match=r"^wide\.png: has 10000 x 5000 pixels, more than 40 million"):
        read_image(tmp_path / "wide.png")
    claiming(tmp_path / "bomb.png", 20_000, 20_000)
    with pytest.raises(InputError, match=r"^bomb\.png: not a readable picture"):
        read_image(tmp_path / "bomb.png")
