"""A small object store on this machine: what a client of S3 asks for when it reads, with latency added.

It answers HEAD and GET, of ranges too, of the files below a folder, as the objects of a bucket `data` at
`/data/...`. That is all that readers of shards need, and its own work is little beside theirs, which a whole
emulator's is not. `object_store.py` starts it; it prints its port and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path

REASONS = {200: "OK", 206: "Partial Content", 404: "Not Found"}


def head_of(status: int, length: int, more: str = "") -> bytes:
    """The first lines of an answer."""
    return (
        f'HTTP/1.1 {status} {REASONS[status]}\r\nContent-Length: {length}\r\nETag: "0"\r\n'
        f"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: binary/octet-stream\r\n{more}\r\n"
    ).encode()


def answer(folder: Path, method: str, target: str, wanted: re.Match[str] | None) -> bytes:
    """The whole answer to a request."""
    path = folder / target.partition("?")[0].removeprefix("/data/")
    if not path.is_file():
        return head_of(404, 0)
    size = path.stat().st_size
    if method == "HEAD":
        return head_of(200, size)
    if wanted is None:
        return head_of(200, size) + path.read_bytes()
    start, end = int(wanted[1]), min(int(wanted[2]) + 1, size)
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end - start)
    return head_of(206, len(data), f"Content-Range: bytes {start}-{end - 1}/{size}\r\n") + data


async def serve(folder: Path, latency_s: float) -> None:
    """Answer every request after that time, any number of them at once."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                text = request.decode("latin-1")
                method, target, _ = text.split(" ", 2)
                wanted = re.search(r"^range: bytes=(\d+)-(\d+)", text, re.IGNORECASE | re.MULTILINE)
                await asyncio.sleep(latency_s)
                writer.write(answer(folder, method, target, wanted))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency-ms", type=float, default=20)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.folder, arguments.latency_ms / 1e3))


if __name__ == "__main__":
    main()
