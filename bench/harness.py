"""Contenders measured against each other on one machine, whatever else it does meanwhile.

Every run is a process of its own. Rounds are interleaved, each contender once in each, so that a slow minute hits all
alike; medians are compared, and only within one such series.

This module, and whatever starts a series, stays small: a child's peak memory as Linux tells it is never below its
parent's. Pictures and films are opened in children.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "performance.md"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: As the table shows it.
        command: Does the work once. Its last line of output may be a JSON object of numbers: `wall_s`, `cpu_s` and
            `peak_mib` in it stand in place of the whole process's, which began before the work did; the others become
            `Run.told`.
        environment: Added to ours.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took. wall_s, cpu_s: seconds, the latter of all threads and children; peak_mib: resident."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    told: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach. kept: whether it did."""

    text: str
    measured: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A part's results. text: Markdown without a heading."""

    text: str
    bars: Sequence[Bar]


def interleaved(contenders: Sequence[Contender], rounds: int) -> dict[str, Run]:
    """Runs each contender once a round. Returns by name the median of every figure by itself.

    Raises:
        RuntimeError: A contender failed.
    """
    runs: dict[str, list[Run]] = {one.name: [] for one in contenders}
    for n in range(rounds):
        for one in contenders:
            runs[one.name].append(run(one))
            say(f"{n + 1}/{rounds} {one.name}: {runs[one.name][-1].wall_s:.3f} s")
    return {name: _median(each) for name, each in runs.items()}


def run(contender: Contender) -> Run:
    """Runs it once. Raises RuntimeError with what it complained of."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            cwd=ROOT,
            env={**os.environ, **contender.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=complaints,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        complaints.seek(0)
        if process.returncode:
            raise RuntimeError(f"{contender.name}: {complaints.read().decode(errors='replace')[-2000:]}")
        told = _told(out.read())
    return Run(
        wall_s=told.pop("wall_s", wall_s),
        cpu_s=told.pop("cpu_s", used.ru_utime + used.ru_stime),
        peak_mib=told.pop("peak_mib", used.ru_maxrss / 1024),
        told=told,
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column is words, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def publish(part: str, section: Section) -> None:
    """Puts a part's results between its two marks in docs/performance.md, which must be there."""
    begin, end = f"<!-- bench: {part} -->", f"<!-- end: {part} -->"
    bars = [[bar.text, bar.measured, "yes" if bar.kept else "**no**"] for bar in section.bars]
    text = "\n\n".join((_circumstances(), section.text, *([table(("bar", "measured", "kept"), bars)] if bars else [])))
    before = REPORT.read_text()
    after, found = re.subn(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: f"{begin}\n{text}\n{end}", before, flags=re.DOTALL
    )
    if found != 1:
        raise RuntimeError(f"{REPORT} has no place for {part}")
    REPORT.write_text(after)


def say(line: str) -> None:
    """For whoever waits."""
    print(line, file=sys.stderr, flush=True)


def _told(output: bytes) -> dict[str, float]:
    lines = output.decode().splitlines()
    if not lines or not lines[-1].startswith("{"):
        return {}
    return {str(name): float(value) for name, value in json.loads(lines[-1]).items()}


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        wall_s=statistics.median(one.wall_s for one in runs),
        cpu_s=statistics.median(one.cpu_s for one in runs),
        peak_mib=statistics.median(one.peak_mib for one in runs),
        told={name: statistics.median(one.told[name] for one in runs) for name in runs[0].told},
    )


def _circumstances() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = names[0] if names else platform.machine()
    machine = f"{os.cpu_count()} cores ({processor})"
    return f"Measured {datetime.now(UTC):%Y-%m-%d} on {machine}, Python {platform.python_version()}."
