"""A request to end, which a scheduler makes by SIGTERM, answered at the next good moment."""

from __future__ import annotations

import signal
import types


class Termination:
    """Records SIGTERM so that the trainer can save and exit; only for the main thread of a program.

    Attributes:
        requested: whether the signal has come.
    """

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        del number, frame
        self.requested = True
