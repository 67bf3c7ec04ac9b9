"""SIGTERM: what a cluster sends before it takes a job's machine away, at its time limit or for a job of higher priority."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dssl.model.ranks import rank


class Terminated(SystemExit):
    """Training was told to stop; the process ends as if the signal had ended it, so that its job counts as failed."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def noticing_sigterm() -> Iterator[Callable[[], None]]:
    """Within the block SIGTERM is only noted; the function that is given raises `Terminated` where it was.

    Of several ranks the first one answers. The others go on, so that it is not left waiting for them in the middle of a
    step, and end when it does. Only a program's main thread gets signals: elsewhere nothing changes.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)

    def raise_if_noted() -> None:
        if noted and rank() == 0:
            raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield raise_if_noted
        return
    previous = signal.signal(signal.SIGTERM, note)
    try:
        yield raise_if_noted
    finally:
        signal.signal(signal.SIGTERM, previous)
