"""Records a scheduler's request to end (SIGTERM), so that training can stop at a good moment."""

from __future__ import annotations

import signal
import types


class Termination:
    """Records SIGTERM so that the trainer can save and exit; works in the main thread only.

    Attributes:
        requested: whether the signal was received.
    """

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._record)

    def _record(self, number: int, frame: types.FrameType | None) -> None:
        del number, frame
        self.requested = True
