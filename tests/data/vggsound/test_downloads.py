import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import forked
from forked import Forked
from made_videos import write_video
from sound2scene import processes
from sound2scene.cli import main
from sound2scene.data.vggsound import downloads as clip_downloads
from sound2scene.data.vggsound.downloads import LEDGER, Visit, choose, ledger_of, summary
from sound2scene.data.vggsound.names import ClipName
from sound2scene.data.vggsound.table import Row
from sound2scene.data.vggsound.youtube import Fetcher, Outcome
from sound2scene.data.video.decode import frame_at
from sound2scene.types import InputError
from video_server import VideoServer, video_server

A, B, C, D = (ClipName(letter * 11, 2000) for letter in "abcd")
OK, THERE, NOT_FOUND = ("ok", ""), ("ok", "there before"), ("dead", "not_found")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("source") / "source.mp4", 5.0, tone_s=0.0)


@pytest.fixture
def web(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with video_server(source.read_bytes()) as server:
        yield server


def visit(
    web: VideoServer,
    folder: Path,
    timeout_s: float = 300.0,
    retries: int = 0,
    first_wait_s: float = 0.01,
    **settings: Any,
) -> Visit:
    fetcher = Fetcher(folder, web.address, timeout_s=timeout_s, retries=retries, first_wait_s=first_wait_s)
    return Visit(fetcher, **({"sleep_s": 0.0, "limit_s": 600.0} | settings))


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LEDGER).read_text().splitlines()]


def names(folder: Path) -> list[str]:
    """What lies in a folder, but for the file on which its lock is held."""
    return sorted(path.name for path in folder.iterdir() if path.name != f".{LEDGER}.lock")


def command(web: VideoServer, folder: Path, *options: str) -> list[str]:
    table = folder.parent / "table.csv"
    table.write_text("".join(f"{name.video},2,dog,train\n" for name in (A, B, C, D)))
    start = ["download", "vggsound", "--csv", str(table)]
    return [*start, "--videos", str(folder), "--address", web.address, "--sleep", "0", *options]


def wait_for(process: Forked, condition: Callable[[], bool]) -> None:
    while not condition():
        assert process.is_running(), process.wait().err
        time.sleep(0.05)


@pytest.fixture
def until(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], bool]], None]:
    """Lets hours pass as soon as something has happened, and no time before."""

    def strike(condition: Callable[[], bool]) -> None:
        clock = SimpleNamespace(monotonic=lambda: 1e6 if condition() else 0.0)
        monkeypatch.setattr(processes, "time", clock)

    return strike


@pytest.mark.costly
def test_clips_come_once_and_dead_ones_are_asked_for_once_in_two_runs(
    web: VideoServer, tmp_path: Path
) -> None:
    web.behaviour[B.video] = 404
    folder = tmp_path / "new" / "videos"
    assert visit(web, folder, retries=3).run([A, B, C]) == ({OK: 2, NOT_FOUND: 1}, True)
    assert names(folder) == [f"{A.in_ms()}.mp4", f"{C.in_ms()}.mp4", LEDGER]
    assert [(entry["clip"], entry["state"]) for entry in entries(folder)] == [
        (A.in_ms(), "ok"),
        (B.in_ms(), "dead"),
        (C.in_ms(), "ok"),
    ]
    assert web.asked[B.video] == 1
    asked = web.asked.copy()
    assert visit(web, folder, retries=3).run([A, B, C]) == ({THERE: 2, NOT_FOUND: 1}, True)
    assert web.asked == asked
    (folder / f"{A.in_ms()}.mp4").unlink()
    assert visit(web, folder).run([A, B, C]) == ({OK: 1, THERE: 1, NOT_FOUND: 1}, True)


@pytest.mark.costly
def test_what_is_dead_at_one_address_is_asked_for_at_another(web: VideoServer, tmp_path: Path) -> None:
    web.behaviour[A.video] = [404]
    assert visit(web, tmp_path).run([A])[0] == {NOT_FOUND: 1}
    web.address += "?mirror"
    assert visit(web, tmp_path).run([A])[0] == {OK: 1}


@pytest.mark.costly
def test_a_transfer_that_breaks_off_goes_on_where_it_was_after_growing_waits(
    web: VideoServer, tmp_path: Path
) -> None:
    web.behaviour[A.video] = [200, 503, "cut"]  # the look at what it is comes first
    start_s = time.monotonic()
    assert visit(web, tmp_path, retries=2, first_wait_s=0.5).run([A])[0] == {OK: 1}
    assert time.monotonic() - start_s > 0.5 + 1.0
    (wanted,) = web.ranges[A.video]
    assert 0 < int(wanted.removeprefix("bytes=").removesuffix("-")) <= len(web.video) // 2
    assert web.asked[A.video] == 4


@pytest.mark.costly
@pytest.mark.parametrize(
    ("how", "kind", "asked"),
    [("cut", "truncated", 4), ([200, 503, 503, 503], "server_error", 4), (503, "server_error", 1)],
)
def test_what_fails_to_the_end_of_a_run_is_not_kept_and_asked_for_in_the_next(
    web: VideoServer, tmp_path: Path, how: object, kind: str, asked: int
) -> None:
    web.behaviour[A.video] = how
    assert visit(web, tmp_path, retries=2).run([A])[0] == {("failed", kind): 1}
    assert names(tmp_path) == [LEDGER]
    assert web.asked[A.video] == asked
    del web.behaviour[A.video]
    assert visit(web, tmp_path).run([A])[0] == {OK: 1}


@pytest.mark.costly
def test_a_slow_answer_is_waited_for_within_the_limit_of_a_clip(web: VideoServer, tmp_path: Path) -> None:
    web.behaviour[A.video] = web.behaviour[B.video] = "slow"
    assert visit(web, tmp_path).run([A])[0] == {OK: 1}
    assert visit(web, tmp_path, limit_s=1.0, retries=5).run([B])[0] == {("failed", "time_limit"): 1}
    assert names(tmp_path) == [f"{A.in_ms()}.mp4", LEDGER]


@pytest.mark.costly
def test_an_answer_without_end_ends_and_the_next_clip_comes(
    web: VideoServer, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    web.behaviour[A.video] = "endless"
    until(lambda: web.asked[A.video] >= 2)
    counts, _ = visit(web, tmp_path, retries=3).run([A, B])
    assert counts == {("failed", "time_limit"): 1, OK: 1}
    assert web.asked[A.video] == 2  # its look and its download: the limit holds for all tries together
    assert names(tmp_path) == [f"{B.in_ms()}.mp4", LEDGER]


@pytest.mark.costly
def test_a_torn_last_line_is_dropped_and_what_follows_stands_on_its_own(
    web: VideoServer, tmp_path: Path
) -> None:
    web.behaviour |= {A.video: 404, B.video: 404}
    visit(web, tmp_path).run([A, B])
    ledger = tmp_path / LEDGER
    ledger.write_bytes(ledger.read_bytes()[:-20])
    visit(web, tmp_path).run([A, B])
    assert [entry["clip"] for entry in entries(tmp_path)] == [A.in_ms(), B.in_ms()]
    assert web.asked == {A.video: 1, B.video: 2}


def test_a_line_that_is_none_of_a_ledger_is_named(web: VideoServer, tmp_path: Path) -> None:
    for line in ("null", "{}", "mine", "[" * 10**5, '{"clip": 1, "address": "", "state": "ok"}'):
        (tmp_path / LEDGER).write_text(f"{line}\n")
        with pytest.raises(InputError, match=rf"{LEDGER}:1: .*; remove the line"):
            visit(web, tmp_path).run([A])
        assert (tmp_path / LEDGER).read_text() == f"{line}\n"


def test_one_process_at_a_time_downloads_into_a_folder(web: VideoServer, tmp_path: Path) -> None:
    with (
        ledger_of(tmp_path),
        pytest.raises(InputError, match="another process is downloading into this folder"),
    ):
        visit(web, tmp_path).run([A])
    assert not web.asked


@pytest.mark.costly
def test_leftovers_go_and_what_is_not_ours_stays(web: VideoServer, tmp_path: Path) -> None:
    (tmp_path / ".download" / A.in_ms()).mkdir(parents=True)
    (tmp_path / ".download" / A.in_ms() / "1.mp4.part").write_bytes(b"half")
    (tmp_path / "mine.txt").write_text("mine")
    visit(web, tmp_path).run([A])
    assert names(tmp_path) == [f"{A.in_ms()}.mp4", LEDGER, "mine.txt"]


@pytest.mark.slow
def test_clips_are_a_wait_apart(web: VideoServer, tmp_path: Path) -> None:
    web.behaviour |= {A.video: 404, B.video: 404, C.video: 404}
    visit(web, tmp_path).run([A])
    start_s = time.monotonic()
    visit(web, tmp_path, sleep_s=2.0).run([A, B, C])  # one wait, of 1 to 3 s
    assert time.monotonic() - start_s > 1.0


@pytest.mark.costly
def test_workers_fetch_side_by_side(
    web: VideoServer, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    web.behaviour |= dict.fromkeys((A.video, B.video, C.video, D.video), "endless")
    until(lambda: all(web.asked[clip.video] == 2 for clip in (A, B, C, D)))
    assert visit(web, tmp_path, workers=4).run([A, B, C, D])[0] == {("failed", "time_limit"): 4}
    assert [entry["state"] for entry in entries(tmp_path)] == ["failed"] * 4


@pytest.mark.slow
def test_a_run_in_which_nothing_comes_any_more_is_given_up(
    web: VideoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_downloads, "FAILED_IN_A_ROW", 2)
    web.behaviour |= {A.video: 503, B.video: 404, C.video: 503, D.video: 503}
    more = ClipName("e" * 11, 0)
    with pytest.raises(
        InputError, match=r"the last 2 clips failed; see downloads\.jsonl and run again later"
    ):
        visit(web, tmp_path).run([A, B, C, D, more])
    assert web.asked[D.video] == 1
    assert not web.asked[more.video]


@pytest.mark.slow
def test_a_killed_run_leaves_no_clip_half_written_and_the_next_goes_on(
    web: VideoServer, tmp_path: Path
) -> None:
    web.behaviour |= {A.video: 404, C.video: "endless"}
    folder = tmp_path / "videos"
    run = Forked(forked.command, *command(web, folder))
    wait_for(run, lambda: web.asked[C.video] == 2)
    assert (folder / ".download" / C.in_ms()).is_dir()
    run.kill()
    assert [entry["clip"] for entry in entries(folder)] == [A.in_ms(), B.in_ms()]
    assert (folder / f"{B.in_ms()}.mp4").is_file()
    web.behaviour[C.video] = 200
    asked = web.asked.copy()
    assert visit(web, folder).run([A, B, C, D])[0] == {NOT_FOUND: 1, THERE: 1, OK: 2}
    assert (web.asked[A.video], web.asked[B.video]) == (asked[A.video], asked[B.video])
    assert names(folder) == [*(f"{name.in_ms()}.mp4" for name in (B, C, D)), LEDGER]


@pytest.mark.costly
def test_ctrl_c_ends_in_a_line_and_leaves_nothing_under_way(web: VideoServer, tmp_path: Path) -> None:
    web.behaviour[B.video] = "endless"
    folder = tmp_path / "videos"
    run = Forked(forked.command, *command(web, folder))
    wait_for(run, lambda: web.asked[B.video] == 2)
    os.kill(run.pid, signal.SIGINT)
    status, out, err = run.wait()
    assert status == 130
    assert out.splitlines() == [f"{folder}: 1 ok, 0 dead, 0 failed"]
    assert err.splitlines()[-1].startswith("sound2scene: stopped by Ctrl-C; ")
    assert "Traceback" not in err
    assert names(folder) == [f"{A.in_ms()}.mp4", LEDGER]


@pytest.mark.costly
def test_the_command_says_by_kind_what_became_of_the_clips(
    web: VideoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.behaviour |= {A.video: 404, C.video: "cut"}
    options = ("--retries", "0", "--limit", "3", "--split", "train", "--height", "32")
    assert main(command(web, tmp_path / "v", *options)) == 1
    assert (
        capsys.readouterr().out == f"{tmp_path / 'v'}: 1 ok, 1 dead (1 not_found), 1 failed (1 truncated)\n"
    )
    assert frame_at(tmp_path / "v" / f"{B.in_ms()}.mp4", 1.0).shape == (32, 48, 3)


def test_summary_counts_by_state_and_kind() -> None:
    counts = {OK: 3, THERE: 2, ("dead", "private"): 1, NOT_FOUND: 4}
    assert summary(counts) == "5 ok (2 there before), 5 dead (4 not_found, 1 private), 0 failed"


def test_clips_are_chosen_by_split_class_and_number_in_the_tables_order() -> None:
    table = {A: Row("dog", "train"), B: Row("cat", "test"), C: Row("cat", "train"), D: Row("dog", "test")}
    assert choose(table, "all") == [A, B, C, D]
    assert choose(table, "test") == [B, D]
    assert choose(table, "all", ["cat"], 1) == [B]
    with pytest.raises(InputError, match="classes not in the table: cow; check their spelling"):
        choose(table, "all", ["cow"])
    with pytest.raises(InputError, match="--limit 0: take at least 1 clip"):
        choose(table, "all", None, 0)


@pytest.mark.parametrize(
    "video", ["../../escape", "a/b/c/d/e/f", "aaaaaaaaaa", "aaaaaaaaaa&", "aaaaaaaaaa\n", "%(id)s-----"]
)
def test_a_table_with_a_name_that_is_no_id_is_refused(video: str) -> None:
    with pytest.raises(InputError, match="not a VGGSound name"):
        choose({ClipName(video, 0): Row("dog", "train")}, "all")


@pytest.mark.parametrize("settings", [{"sleep_s": -1.0}, {"limit_s": 0.0}, {"workers": 0}])
def test_settings_out_of_range_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least"):
        Visit(Fetcher(tmp_path), **settings)


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    with ledger_of(tmp_path) as ledger:

        def write(start: int) -> None:
            for number in range(start, start + 100):
                ledger.add(ClipName("a" * 11, number), "x" * 200, Outcome("dead", "private", "y" * 300))

        threads = [threading.Thread(target=write, args=(1000 * index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({entry["clip"] for entry in entries(tmp_path)}) == 400


@pytest.mark.slow
def test_what_failed_before_is_asked_for_after_all_others(
    web: VideoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_downloads, "FAILED_IN_A_ROW", 2)
    web.behaviour |= {A.video: 503, B.video: 503}
    with pytest.raises(InputError, match="the last 2 clips failed"):
        visit(web, tmp_path).run([A, B, C, D])
    with pytest.raises(InputError, match="the last 2 clips failed"):  # and yet C and D have come
        visit(web, tmp_path).run([A, B, C, D])
    assert [(entry["clip"], entry["state"]) for entry in entries(tmp_path)[2:]] == [
        (C.in_ms(), "ok"),
        (D.in_ms(), "ok"),
        (A.in_ms(), "failed"),
        (B.in_ms(), "failed"),
    ]


@pytest.mark.costly
def test_a_clip_that_is_there_in_another_spelling_or_folder_is_not_asked_for(
    web: VideoServer, tmp_path: Path
) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / f"{A.video}_000002.mp4").write_bytes(b"a clip")
    assert visit(web, tmp_path).run([A, B])[0] == {THERE: 1, OK: 1}
    assert not web.asked[A.video]


@pytest.mark.costly
def test_without_a_network_the_command_ends_with_1_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "v.csv").write_text(f"{A.video},{A.start_ms // 1000},dog,test\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/{{id}}.mp4"
    given = ["--csv", str(tmp_path / "v.csv"), "--videos", str(tmp_path / "videos"), "--address", address]
    assert main(["download", "vggsound", *given, "--retries", "0", "--sleep", "0"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "some clips did not come" in line]
    assert re.search(r"\(of the last one: network: .*\); see .*downloads\.jsonl, run again later", line)


def test_a_ledger_on_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ledger_of(tmp_path) as ledger:

        def refuse(_: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ledger, "_file", SimpleNamespace(write=refuse, name="downloads.jsonl"))
        with pytest.raises(InputError, match=r"downloads\.jsonl: cannot be written \(No space left"):
            ledger.add(A, "x", Outcome("ok"))
