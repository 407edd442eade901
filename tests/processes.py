"""What runs below a process, for tests that count it or kill it. Linux."""

from pathlib import Path


def children(pid: int) -> list[int]:
    """Process ids of what it started itself."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for file in tasks for word in file.read_text().split()]


def descendants(pid: int) -> list[int]:
    """Process ids of everything it started, directly or not."""
    found, waiting = [], [pid]
    while waiting:
        pids = children(waiting.pop())
        found += pids
        waiting += pids
    return found


def runs(pid: int) -> bool:
    """Not when it has ended and only waits for somebody to ask how."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
