"""A fixed share of a core for a program and all it starts, as a container's CPU limit gives it: by the kernel's control
groups, one for each program, which are gone afterwards.
"""

import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from deploy.local.processes import LocalError

PERIOD_US = 20_000  # short: who has used up its part waits for the rest of one
LEAST_US = 1_000  # a part the kernel takes
GONE_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Controller:
    """Where control groups of the CPU are made. version: 1 or 2, as the kernel counts them."""

    root: Path
    version: int

    def limit(self, share: float) -> Mapping[str, str]:
        """What is written into which file of a group. share: of one core, > 0."""
        period_us = max(PERIOD_US, round(LEAST_US / share))
        quota_us = round(share * period_us)
        if self.version == 2:
            return {"cpu.max": f"{quota_us} {period_us}"}
        return {"cpu.cfs_period_us": f"{period_us}", "cpu.cfs_quota_us": f"{quota_us}"}


def controller() -> Controller:
    """The kernel's own, of either version.

    Raises:
        LocalError: there is none, or none that we may use.
    """
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, root, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            found.append(Controller(Path(root), 1))
        elif kind == "cgroup2" and "cpu" in Path(root, "cgroup.subtree_control").read_text().split():
            found.append(Controller(Path(root), 2))
    for one in found:
        if os.access(one.root, os.W_OK) and os.access(one.root / "cgroup.procs", os.W_OK):
            return one
    where = ", ".join(f"{one.root} is not writable" for one in found) or "no control groups of the CPU are mounted"
    raise LocalError(f"programs cannot be given a share of a core: {where}; run this as root, outside a container")


class Shares:
    """Programs with a share of a core each. Leaving lets all of them run freely again, and removes their groups.

    Args:
        control: See `controller`.
    """

    def __init__(self, control: Controller) -> None:
        self._control = control
        self._home = control.root / _own_group(control.version)
        self._groups: dict[str, Path] = {}

    def __enter__(self) -> "Shares":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._groups:
            self._remove(self._groups.popitem()[1])

    def limit(self, name: str, pid: int, share: float) -> None:
        """Holds that process, all it has started and all it will start to `share` of a core.

        Raises:
            LocalError: the kernel refuses.
        """
        group = self._control.root / f"lmp-{os.getpid()}-{name}"
        try:
            group.mkdir()
            self._groups[name] = group
            for file, text in self._control.limit(share).items():
                (group / file).write_text(text)
        except OSError as exc:
            raise LocalError(f"{name} cannot be given a share of a core: {exc}") from exc
        # What is started before its parent is in the group is found by the next look.
        while outside := _family(pid) - set(_members(group)):
            for one in outside:
                _move(one, group)

    def used_s(self, name: str) -> float:
        """CPU seconds so far of all in that group, and of children of theirs that have ended."""
        return sum(_used_s(pid) for pid in _members(self._groups[name]))

    def _remove(self, group: Path) -> None:
        until = time.monotonic() + GONE_WITHIN_S
        while members := _members(group):
            if time.monotonic() > until:
                raise LocalError(f"{group} cannot be removed: processes {members} do not leave it")
            for pid in members:
                _move(pid, self._home)
        group.rmdir()


def _own_group(version: int) -> Path:
    """Where all that we start is at first, relative to the root."""
    which = r"^0::/(.*)$" if version == 2 else r"^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:/(.*)$"
    found = re.search(which, Path("/proc/self/cgroup").read_text(), re.MULTILINE)
    if found is None:
        raise LocalError("the kernel does not tell which control group this process is in")
    return Path(found[1])


def _members(group: Path) -> list[int]:
    return [int(line) for line in (group / "cgroup.procs").read_text().split()]


def _move(pid: int, group: Path) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        (group / "cgroup.procs").write_text(f"{pid}")


def _family(pid: int) -> set[int]:
    """It and all that descend from it, as far as they run now."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(folder.name))
        if fields and fields[0] not in "ZX":
            parents[int(folder.name)] = int(fields[1])
    family, more = set[int](), {pid} & parents.keys()
    while more:
        family |= more
        more = {child for child, parent in parents.items() if parent in more}
    return family


def _used_s(pid: int) -> float:
    ticks = sum(map(int, _fields(pid)[11:15]))  # user and system, its own and those of its ended children
    return ticks / os.sysconf("SC_CLK_TCK")


def _fields(pid: int) -> list[str]:
    """What the kernel says of a process after its name, which may have blanks of its own; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
