import pickle
import random
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from forked import run
from sound2scene.data.shards.ahead import Part, ReadAhead, join
from sound2scene.data.shards.signed import AT_ONCE

CONTENT = bytes(random.Random(0).randbytes(1_000_000))
FAR = 200_000  # too far to be joined


class Noted:
    """A folder of files of the same content, which notes what is read."""

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.before = before
        self.asked: list[Part] = []

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        assert start is not None
        assert end is not None
        self.asked.append(Part(name, start, end))
        self.before()
        if name == "missing":
            raise FileNotFoundError(name)
        return CONTENT[start:end]

    def begin(self, name: str, start: int, end: int) -> Future[bytes] | None:
        return None


def parts(seed: int, count: int = 60) -> list[Part]:
    dice = random.Random(seed)
    starts = [dice.randrange(900_000) for _ in range(count)]
    return [Part(dice.choice("ab"), start, start + dice.randrange(1, 90_000)) for start in starts]


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_the_same_bytes_expected_or_not_in_any_order(seed: int) -> None:
    wanted = parts(seed)
    ahead = ReadAhead(Noted())
    ahead.expect(wanted[::2])
    random.Random(seed).shuffle(wanted)
    for part in wanted + wanted[:3]:
        assert ahead.read(part) == CONTENT[part.start : part.end]


@pytest.mark.parametrize("seed", range(5))
def test_each_part_is_in_one_request_of_which_few_bytes_are_not_wanted(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sound2scene.data.shards.ahead._LARGEST", 300_000)
    wanted = parts(seed)
    groups = join(wanted)
    assert sorted(part for group in groups for part in group) == sorted(set(wanted))
    for group in groups:
        assert len({part.name for part in group}) == 1
        end = max(part.end for part in group)
        assert end - group[0].start <= 300_000
        covered = group[0].end
        for part in group[1:]:
            assert part.start <= covered + (1 << 16)
            covered = max(covered, part.end)
    first = [min(wanted.index(part) for part in group) for group in groups]
    assert first == sorted(first)


def test_members_of_neighbouring_clips_come_by_one_request() -> None:
    source = Noted()
    ahead = ReadAhead(source)
    wanted = [Part("a", 0, 40), Part("a", 1000, 3000), Part("a", 5000, 9000), Part("a", FAR, FAR + 9)]
    ahead.expect(wanted)
    assert [ahead.read(part) for part in wanted] == [CONTENT[part.start : part.end] for part in wanted]
    assert sorted(source.asked) == [Part("a", 0, 9000), Part("a", FAR, FAR + 9)]


def test_what_follows_a_long_part_at_once_comes_by_its_request() -> None:
    long = Part("a", 10, 200_000)
    assert join([Part("a", 0, 10), long, Part("a", 200_000, 200_010)]) == [
        [Part("a", 0, 10), long, Part("a", 200_000, 200_010)]
    ]


def test_parts_are_on_their_way_together() -> None:
    together = threading.Barrier(AT_ONCE, timeout=20)
    source = Noted(together.wait)
    wanted = [Part(f"{number}", 0, 10) for number in range(AT_ONCE)]
    ahead = ReadAhead(source)
    ahead.expect(wanted)
    assert [ahead.read(part) for part in wanted] == [CONTENT[:10]] * AT_ONCE
    assert len(source.asked) == AT_ONCE


def test_what_was_expected_and_never_read_is_given_up() -> None:
    go = threading.Event()
    source = Noted(lambda: go.wait(20))
    ahead = ReadAhead(source)
    ahead.expect([Part(f"old {number}", 0, 10) for number in range(10 * AT_ONCE)])
    ahead.expect([Part("new", 0, 10)])
    go.set()
    assert ahead.read(Part("new", 0, 10)) == CONTENT[:10]
    assert len(source.asked) <= AT_ONCE + 1
    assert ahead._expected == {}


def test_an_error_comes_where_the_part_is_read_and_as_it_was() -> None:
    ahead = ReadAhead(Noted())
    wanted = [Part("missing", 0, 1), Part("a", 0, 1)]
    ahead.expect(wanted)
    assert ahead.read(wanted[1]) == CONTENT[:1]
    with pytest.raises(FileNotFoundError, match="missing"):
        ahead.read(wanted[0])


@pytest.mark.parametrize("fault", ["", "error", "short", "given up"])
def test_a_part_that_was_begun_in_vain_is_read_anew(fault: str) -> None:
    class Beginning(Noted):
        def begin(self, name: str, start: int, end: int) -> Future[bytes]:
            begun: Future[bytes] = Future()
            if fault == "error":
                begun.set_exception(OSError("gone"))
            elif fault == "given up":
                begun.cancel()
            else:
                begun.set_result(CONTENT[start : end - len(fault)])
            return begun

    source, part = Beginning(), Part("a", 5, 50)
    ahead = ReadAhead(source)
    ahead.expect([part])
    assert ahead.read(part) == CONTENT[5:50]
    assert source.asked == ([part] if fault else [])


class Silent:
    def begin(self, name: str, start: int, end: int) -> Future[bytes] | None:
        return None

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        return CONTENT[start:end]


def test_a_copy_for_another_process_expects_nothing() -> None:
    ahead = ReadAhead(Silent())
    ahead.expect([Part("a", 0, 5)])
    copy = pickle.loads(pickle.dumps(ahead))
    assert copy._expected == {}
    assert copy.read(Part("a", 0, 5)) == CONTENT[:5]


def read_in_a_fork() -> None:
    ahead = ReadAhead(Silent())
    ahead.expect([Part("a", 0, 5)])
    assert ahead.read(Part("a", 0, 5)) == CONTENT[:5]
    ahead.expect([Part("a", 0, 5)])

    def again() -> None:
        assert ahead.read(Part("a", 0, 5)) == CONTENT[:5]
        ahead.expect([Part("b", 0, 5)])
        assert ahead.read(Part("b", 0, 5)) == CONTENT[:5]

    from multiprocessing import get_context

    child = get_context("fork").Process(target=again)
    child.start()
    child.join(20)
    assert child.exitcode == 0


def test_a_process_that_was_forked_reads_with_threads_of_its_own() -> None:
    assert run(read_in_a_fork).status == 0
