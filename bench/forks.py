"""A job's process as the service makes one: forked from what has loaded everything, and used once."""

import gc
import os
import resource
import traceback
from collections.abc import Callable

from services.transcoder import child


def load() -> None:
    """What is loaded before the first fork."""
    child.load()
    gc.freeze()


def forked(work: Callable[[], float]) -> tuple[float, resource.struct_rusage]:
    """What `work` returns in a process forked for it, and what that process used in all. Raises RuntimeError."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writes, repr(work()).encode())
        except BaseException:  # noqa: BLE001  a child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as answer:
        told = answer.read()
    _, status, used = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"ended with {os.waitstatus_to_exitcode(status)}")
    return float(told), used
