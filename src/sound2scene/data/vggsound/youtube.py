"""One clip of a video on the web, by yt-dlp (an extra): asked for, cut, and what became of it.

yt-dlp runs without the user's settings, plug-ins, cookies, cache and ffmpeg, and with one extractor:
YouTube's for its addresses, for others the one that takes a file from where it lies. Its retries are used;
its sections are not, because they need the ffmpeg command and cut at key frames, or encode once more.
"""

from __future__ import annotations

import importlib
import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from sound2scene.data.vggsound.names import ClipName
from sound2scene.data.video.cut import cut
from sound2scene.data.video.errors import VideoError
from sound2scene.types import InputError

WATCH = "https://www.youtube.com/watch?v={id}"
LARGEST_BYTES = 4 << 30

_HOSTS = re.compile(r"(?:.+\.)?(?:youtube\.com|youtu\.be|youtube-nocookie\.com)")
_LASTING = {"no_video", "no_audio", "too_short", "silent", "scale"}
_Verdict = Literal["dead", "failed"]

# First match decides; what passes stands before what stays, because messages often hold words of both.
_MESSAGES: tuple[tuple[str, str, _Verdict], ...] = (
    (r"not a bot|rate.limited|try again later|captcha|HTTP Error 429|Too Many Requests", "refused", "failed"),
    (r"timed? ?out", "timeout", "failed"),
    (r"bytes read|more expected|did not get any data|IncompleteRead", "truncated", "failed"),
    (r"HTTP Error 5\d\d", "server_error", "failed"),
    (r"HTTP Error (?:404|410)", "not_found", "dead"),
    (r"HTTP Error 40[13]|Forbidden", "refused", "failed"),
    (r"confirm your age|age.restricted|inappropriate for some users", "age_restricted", "dead"),
    (r"private video|video is private|members.only|join this channel|requires payment", "private", "dead"),
    (r"in your country|geo.?restrict|from your location", "not_here", "dead"),
    (r"been removed|no longer available|account .*(?:terminated|closed)|copyright", "removed", "dead"),
    (r"video unavailable|video is (?:unavailable|not available)|does not exist", "unavailable", "dead"),
    (r"connection|resolve|network|ssl|transport", "network", "failed"),
)


class Outcome(NamedTuple):
    """What became of a clip.

    Attributes:
        state: ok; dead for what will not come back; failed for what may work another time.
        kind: A word to count by; empty where it is ok.
        reason: One line; empty where it is ok.
    """

    state: Literal["ok", "dead", "failed"]
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Fetcher:
    """How clips are fetched.

    Attributes:
        folder: Folder into which `<id>_<start ms>_<end ms>.mp4` goes.
        address: Address of a video, with `{id}`.
        height: Largest height of the pictures, in pixels.
        rate_limit_bytes: Most bytes per second.
        timeout_s: Longest silence of a server.
        retries: Further tries of a transfer that breaks off, which goes on where it was, and of a look at
            YouTube's pages.
        first_wait_s: Wait before the second try; each later one is twice as long.
    """

    folder: Path
    address: str = WATCH
    height: int = 360
    rate_limit_bytes: int = 2_000_000
    timeout_s: float = 20.0
    retries: int = 3
    first_wait_s: float = 1.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https?://[!-~]+", self.address) or "{id}" not in self.address:
            raise InputError(f"--address {self.address}: give an http or https address with {{id}} in it")
        for option in ("height", "rate_limit_bytes", "timeout_s"):
            if getattr(self, option) <= 0:
                raise InputError(f"{option} {getattr(self, option)}: give a number over 0")
        if self.retries < 0:
            raise InputError(f"retries {self.retries}: give at least 0")

    def target(self, name: ClipName) -> Path:
        """File of a clip."""
        return self.folder / f"{name.in_ms()}.mp4"

    def address_of(self, name: ClipName) -> str:
        """Address of a clip's video."""
        return self.address.replace("{id}", name.video)

    def workplace(self) -> Path:
        """Hidden folder for what is under way; it can go whenever nothing is."""
        return self.folder / ".download"

    def fetch(self, name: ClipName) -> Outcome:
        """Ask once for a clip; it lies in the folder whole or not at all."""
        work = self.workplace() / name.in_ms()
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            files = self._download(self.address_of(name), work)
            cut(files, name.start_ms / 1000, work / "clip.partial", self.height)
            os.replace(work / "clip.partial", self.target(name))
            return Outcome("ok")
        except VideoError as error:
            return Outcome("dead" if error.kind in _LASTING else "failed", error.kind, _line(error))
        except Exception as error:  # an extractor breaks on an unusual page with whatever it likes
            return judge(_line(error))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _download(self, address: str, work: Path) -> list[Path]:
        os.environ["YTDLP_NO_PLUGINS"] = "1"
        with require().YoutubeDL(self._options(address, work)) as downloader:
            found = downloader.extract_info(address)
        files = sorted(work.iterdir())
        if not files or any(path.suffix == ".part" for path in files):
            raise ValueError(
                f"{address}: a {found.get('_type', 'video')} without a file; is it a page with a list?"
            )
        return files

    def _options(self, address: str, work: Path) -> dict[str, Any]:
        is_youtube = _HOSTS.fullmatch(urlsplit(address).hostname or "")
        return {
            "allowed_extractors": ["youtube" if is_youtube else "generic"],
            "cachedir": False,
            "continuedl": False,
            "extractor_retries": self.retries,
            "ffmpeg_location": os.devnull,
            "fixup": "never",
            "format": self._formats,
            # Quality beyond what is kept costs only time.
            "format_sort": [f"res:{self.height}", "fps:30", "proto", "vcodec:h264"],
            "fragment_retries": self.retries,
            "hls_prefer_native": True,
            "logger": _Silence(),
            "noplaylist": True,
            "noprogress": True,
            "outtmpl": {"default": "%(autonumber)s.%(ext)s"},
            "paths": {"home": str(work.absolute())},
            "playlist_items": "0",
            "progress_hooks": [_refuse_endless],
            "quiet": True,
            "ratelimit": self.rate_limit_bytes,
            "retries": self.retries,
            "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), self._wait_s),
            "skip_unavailable_fragments": False,
            "socket_timeout": self.timeout_s,
            "updatetime": False,
        }

    def _wait_s(self, n: int) -> float:
        """Seconds before a try, after so many others that were not the first."""
        return self.first_wait_s * 2.0**n * random.uniform(1.0, 1.5)

    def _formats(self, context: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """One file with pictures and sound, unless two files show more of the height that is wanted."""
        formats = context["formats"]  # the best one last
        kinds = [(one.get("vcodec") != "none", one.get("acodec") != "none") for one in formats]
        best = dict(zip(kinds, formats, strict=True))
        whole, pictures, sound = (best.get(kind) for kind in ((True, True), (True, False), (False, True)))
        if pictures and sound and (whole is None or _height(whole) < _height(pictures) <= self.height):
            yield from (pictures, sound)
        elif chosen := whole or pictures or sound:
            yield chosen


def require() -> Any:
    """The module of yt-dlp.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return importlib.import_module("yt_dlp")
    except ImportError:
        raise InputError("videos are downloaded by yt-dlp; pip install 'sound2scene[download]'") from None


def judge(message: str) -> Outcome:
    """What a message of yt-dlp says of a clip; one that is not known counts as passing."""
    for words, kind, state in _MESSAGES:
        if re.search(words, message, re.IGNORECASE):
            return Outcome(state, kind, message)
    return Outcome("failed", "other", message)


def _line(error: Exception) -> str:
    """An error in one line, without colours."""
    words = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return words[:300] or type(error).__name__


def _height(one: dict[str, Any]) -> int:
    return one.get("height") or 0


def _refuse_endless(progress: dict[str, Any]) -> None:
    if max(progress.get("downloaded_bytes") or 0, progress.get("total_bytes") or 0) > LARGEST_BYTES:
        raise ValueError(f"larger than {LARGEST_BYTES} bytes")


class _Silence:
    """A log that nobody reads: errors are raised as well."""

    def debug(self, message: str) -> None:
        """Say nothing."""

    warning = error = debug
