"""Trials of a sweep in forked processes: `sound2scene fit` started anew imports for seconds."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import forked


class ForkedJob:
    """A process as `sweep_trials.Job` has it.

    Args:
        words: Arguments of `sound2scene`.
        log: Where its output goes at its end.
        environment: Its environment.
    """

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.process = forked.Forked(forked.command, *words, environment=environment)
        self.log, self.status = log, None if self.process.is_running() else 1

    def poll(self) -> int | None:
        if self.status is None and not self.process.is_running():
            ended = self.process.wait()
            with self.log.open("a") as file:
                file.write(ended.out + ended.err)
            self.status = ended.status
        return self.status

    def send_signal(self, number: int) -> None:
        os.kill(self.process.pid, number)


class ScriptedJob:
    """A process that only its script knows.

    Args:
        polls: What each question for its status gets; the last one again and again.
        then: What is done when it ends.
    """

    def __init__(self, polls: Sequence[int | None], then: Callable[[], object] = lambda: None) -> None:
        self.polls, self.then, self.signals = [*polls], then, list[int]()

    def poll(self) -> int | None:
        status = self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        if status is not None:
            self.then()
        return status

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        self.polls = [128 + number]
