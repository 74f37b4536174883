import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from made_videos import TONE_S, write_video
from sound2scene.data.vggsound.names import ClipName
from sound2scene.data.vggsound.youtube import Fetcher, judge, require
from sound2scene.data.video.decode import frame_at, sound
from sound2scene.types import InputError
from video_server import VideoServer, video_server

NAME = ClipName("abc_DEF-012", 3000)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("source") / "source.mp4", 15.0)


@pytest.fixture
def web(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with video_server(source.read_bytes()) as server:
        yield server


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.costly
def test_clip_is_the_ten_seconds_of_its_name(web: VideoServer, source: Path, tmp_path: Path) -> None:
    assert Fetcher(tmp_path, web.address).fetch(NAME) == ("ok", "", "")
    assert names(tmp_path) == ["abc_DEF-012_3000_13000.mp4"]
    clip = tmp_path / "abc_DEF-012_3000_13000.mp4"
    for second in (0.0, 0.04, 9.9):
        assert abs(frame_at(clip, second).mean() - frame_at(source, 3 + second).mean()) < 1.5
    waveform_T = abs(sound(clip))
    assert abs((waveform_T > 0.05).argmax() / 16_000 - (TONE_S - 3)) < 0.003
    assert abs(len(waveform_T) / 16_000 - 10) < 0.1


@pytest.mark.parametrize(
    ("how", "state", "kind"),
    [
        (404, "dead", "not_found"),
        (410, "dead", "not_found"),
        (429, "failed", "refused"),
        (403, "failed", "refused"),
        (503, "failed", "server_error"),
        ("cut", "failed", "truncated"),
        ("silent", "failed", "timeout"),
        ("page", "failed", "other"),
    ],
)
def test_a_bad_answer_is_told_apart_and_leaves_no_file(
    web: VideoServer, tmp_path: Path, how: object, state: str, kind: str
) -> None:
    web.behaviour[NAME.video] = how
    timeout_s = 1.0 if how == "silent" else 300.0
    outcome = Fetcher(tmp_path, web.address, timeout_s=timeout_s, retries=0).fetch(NAME)
    assert outcome[:2] == (state, kind), outcome
    assert "\n" not in outcome.reason
    assert outcome.reason
    assert names(tmp_path) == []
    assert web.asked[NAME.video] <= 2  # the look at what it is, and the download


def test_the_media_may_fail_after_the_look_at_it(web: VideoServer, tmp_path: Path) -> None:
    web.behaviour[NAME.video] = [200, 503]
    fetcher = Fetcher(tmp_path, web.address, retries=0)
    assert fetcher.fetch(NAME)[:2] == ("failed", "server_error")


def test_a_clip_beyond_the_end_of_its_video_is_dead(web: VideoServer, tmp_path: Path) -> None:
    assert Fetcher(tmp_path, web.address).fetch(ClipName(NAME.video, 60_000))[:2] == ("dead", "too_short")
    assert names(tmp_path) == []


def test_a_video_that_is_larger_than_any_is_given_up(
    web: VideoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sound2scene.data.vggsound.youtube.LARGEST_BYTES", 10_000)
    outcome = Fetcher(tmp_path, web.address).fetch(NAME)
    assert outcome.state == "failed"
    assert "larger than 10000 bytes" in outcome.reason


@pytest.mark.parametrize(
    ("message", "state", "kind"),
    [
        ("[youtube] x: Private video. Sign in if you've been granted access", "dead", "private"),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "dead", "removed"),
        (
            "[youtube] x: Video unavailable. This video is no longer available because the YouTube account "
            "associated with this video has been terminated.",
            "dead",
            "removed",
        ),
        ("[youtube] x: Video unavailable", "dead", "unavailable"),
        (
            "[youtube] x: Sign in to confirm your age. This video may be inappropriate",
            "dead",
            "age_restricted",
        ),
        ("[youtube] x: Sign in to confirm you\u2019re not a bot. Use --cookies", "failed", "refused"),
        (
            "[youtube] x: Video unavailable. This content isn't available, try again later. The current "
            "session has been rate-limited by YouTube for up to an hour.",
            "failed",
            "refused",
        ),
        ("[youtube] x: The uploader has not made this video available in your country", "dead", "not_here"),
        ("<urlopen error [Errno 111] Connection refused>", "failed", "network"),
        ("Failed to resolve 'www.youtube.com' (Temporary failure in name resolution)", "failed", "network"),
        ("something new", "failed", "other"),
    ],
)
def test_only_what_stays_is_dead(message: str, state: str, kind: str) -> None:
    assert judge(message)[:2] == (state, kind)


def choose(formats: list[dict[str, Any]], height: int = 360) -> list[str]:
    return [one["id"] for one in Fetcher(Path("x"), height=height)._formats({"formats": formats})]


def test_two_files_are_taken_only_where_they_show_more() -> None:
    heard: dict[str, Any] = {"id": "heard", "vcodec": "none", "acodec": "opus"}
    seen: dict[str, Any] = {"id": "seen", "vcodec": "avc1", "acodec": "none", "height": 360}
    whole: dict[str, Any] = {"id": "whole", "vcodec": "avc1", "acodec": "mp4a", "height": 360}
    assert choose([heard, seen, whole]) == ["whole"]
    assert choose([heard, seen, whole | {"height": 240}]) == ["seen", "heard"]
    assert choose([heard, seen]) == ["seen", "heard"]
    assert choose([heard, whole]) == ["whole"]
    assert choose([heard, seen | {"height": 720}, whole]) == ["whole"]
    assert choose([{"id": "direct"}]) == ["direct"]


def test_youtube_is_asked_through_its_extractor_alone_and_others_through_none_that_knows_sites(
    tmp_path: Path,
) -> None:
    yt_dlp = require()
    for address, extractors in (
        ("https://www.youtube.com/watch?v={id}", {"Youtube"}),
        ("https://youtu.be/{id}", {"Youtube"}),
        ("https://notyoutube.com/{id}", {"Generic"}),
        ("http://127.0.0.1/youtube.com/{id}", {"Generic"}),
    ):
        with yt_dlp.YoutubeDL(Fetcher(tmp_path, address)._options(address, tmp_path)) as downloader:
            assert set(downloader._ies) == extractors
            assert not list(downloader.cookiejar)


@pytest.mark.slow
def test_neither_settings_nor_plug_ins_of_the_user_are_read(web: VideoServer, tmp_path: Path) -> None:
    trace, folder = tmp_path / "trace", tmp_path / "videos"
    plugin = tmp_path / "config" / "yt-dlp" / "plugins" / "mine" / "yt_dlp_plugins" / "extractor" / "mine.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f"open({str(trace)!r}, 'w')")
    (tmp_path / "config" / "yt-dlp" / "config").write_text(f"--exec 'touch {trace}'")
    code = (
        "import sys, pathlib; from sound2scene.data.vggsound import names, youtube\n"
        "fetcher = youtube.Fetcher(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
        f"print(fetcher.fetch(names.ClipName({NAME.video!r}, 3000)).state)"
    )
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "HOME": str(tmp_path)}
    command = [sys.executable, "-c", code, str(folder), web.address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "ok\n"
    assert done.stderr == ""
    assert not trace.exists()


@pytest.mark.parametrize(
    "address", ["ftp://a.org/{id}", "https://a.org/x.mp4", "file:///{id}", "https://a.org/{id} x"]
)
def test_an_address_that_cannot_be_used_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give an http or https address with"):
        Fetcher(tmp_path, address)


@pytest.mark.parametrize("option", ["height", "rate_limit_bytes", "timeout_s"])
def test_a_setting_out_of_range_is_refused(option: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {option: 0}
    with pytest.raises(InputError, match=f"{option} 0: give a number over 0"):
        Fetcher(tmp_path, **given)
    with pytest.raises(InputError, match="retries -1: give at least 0"):
        Fetcher(tmp_path, retries=-1)


def test_missing_yt_dlp_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(InputError, match=r"pip install 'sound2scene\[download\]'"):
        require()
