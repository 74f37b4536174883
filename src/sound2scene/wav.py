"""WAV files whose header does not tell how much sound there is: recorders that were killed, pipes, copies.

A header gets its lengths when a recording ends. One that never did says 0, 0xFFFFFFFF or a length from
before, and the sound is there all the same: it goes on to the end of the file.
"""

from __future__ import annotations

import io
import os
import struct
from typing import BinaryIO

_FORMS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
_UNKNOWN = 0xFFFF_FFFF
_MOST_CHUNKS = 1000
_LEAST_S = 0.1  # what is shorter behind the sound may be padding
_TAGS = (b"TAG", b"ID3", b"APETAGEX")  # written behind the last chunk by programs that think of MP3


def mended(stream: BinaryIO, seconds: float) -> BinaryIO:
    """A stream that a decoder reads to the end of the sound: the same one, where its header is right.

    Args:
        stream: Sound file of any kind; it is left at its start.
        seconds: How much of the sound is wanted; no more is copied where the header has to be mended.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    found = _data(stream, size, _FORMS[head[:4]]) if head[:4] in _FORMS and head[8:12] == b"WAVE" else None
    stream.seek(0)
    if found is None:
        return stream
    form, start, order = found
    stream.seek(start)
    byte_rate = struct.unpack_from(f"{order}I", form, 8)[0] or size
    sound = stream.read(min(size - start, int((seconds + 1) * byte_rate)))
    stream.seek(0)
    body = b"WAVE" + _chunk(b"fmt ", form, order) + _chunk(b"data", sound, order)
    return io.BytesIO(_chunk(b"RIFX" if order == ">" else b"RIFF", body, order))


def _chunk(name: bytes, content: bytes, order: str) -> bytes:
    return name + struct.pack(f"{order}I", len(content)) + content


def _data(stream: BinaryIO, size: int, order: str) -> tuple[bytes, int, str] | None:
    """The format of the sound, where it starts and the order of bytes; None where the header is right."""
    form, long_size = b"", 0
    position = 12
    for _ in range(_MOST_CHUNKS):
        stream.seek(position)
        if len(header := stream.read(8)) < 8:
            return None
        name, length = header[:4], struct.unpack(f"{order}I", header[4:])[0]
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", stream.read(16).ljust(16, b"\0"))[0]
        elif name == b"fmt ":
            form = stream.read(min(length, 1024))
        elif name == b"data":
            length = long_size if length == _UNKNOWN else length
            start = position + 8
            if len(form) < 16:
                return None
            least = 1 if length == 0 else _LEAST_S * struct.unpack_from(f"{order}I", form, 8)[0]
            is_lost = size - start - length >= least and _is_sound(stream, start + length, size, order)
            return (form, start, order) if is_lost else None
        position += 8 + length + length % 2
    return None


def _is_sound(stream: BinaryIO, end: int, size: int, order: str) -> bool:
    """Whether what follows the stated end of the sound is more of it, and neither chunks nor a tag."""
    position = end + end % 2
    for _ in range(_MOST_CHUNKS):
        stream.seek(position)
        header = stream.read(8)
        if header.startswith(_TAGS):
            return False
        if len(header) < 8:
            return False  # chunks to the end
        name, length = header[:4], struct.unpack(f"{order}I", header[4:])[0]
        position += 8 + length + length % 2
        if not all(32 <= letter < 127 for letter in name) or position > size + 1:
            return True
    return False
