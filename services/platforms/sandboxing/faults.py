"""Faults a test orders: the next requests to a path fail in a chosen way.

error        503, and nothing is done
429          the platform's answer to too many requests, and nothing is done
timeout      nothing is done, and no answer comes
drop_before  nothing is done, and the connection ends
drop_after   it is done, and the connection ends before the answer
"""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase


class Mode(StrEnum):
    """How a request fails."""

    ERROR = "error"
    TOO_MANY = "429"
    TIMEOUT = "timeout"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"


@dataclass(frozen=True, slots=True)
class Fault:
    """times more requests with this method ("" is any) to paths like `path` (shell wildcards) fail."""

    path: str
    mode: Mode
    times: int = 1
    method: str = ""


class Faults:
    """Those still to come, in the order they were ordered; forgotten by a restart."""

    def __init__(self) -> None:
        self._open: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """After those ordered before."""
        self._open.append(fault)

    def clear(self) -> None:
        """No request fails any more."""
        self._open.clear()

    def take(self, method: str, path: str) -> Mode | None:
        """How this request is to fail, and one fault fewer; None if it is not."""
        for index, fault in enumerate(self._open):
            if fault.method in ("", method) and fnmatchcase(path, fault.path):
                left = Fault(fault.path, fault.mode, fault.times - 1, fault.method)
                self._open[index : index + 1] = [left] if left.times > 0 else []
                return fault.mode
        return None
