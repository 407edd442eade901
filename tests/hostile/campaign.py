"""A mixture of hostile uploads from several strangers at once, and how the service bears it."""

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from tests import media
from tests.e2e.client import Json
from tests.hostile.attacker import Attacker
from tests.hostile.mixture import Upload, uploads

GROWTH_LIMIT_KIB = 32 << 10
WATCHED = (*STAGES, "envoy")
# Settled means that nothing runs any more; what was freed goes back to the system a moment later.
REST_S = 2.0

Tell = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What was seen.

    Attributes:
        answers: How often each status and code was answered.   ends: the same of what became of accepted items.
        faults: A line for everything that must not be.
        growth_kib: Resident memory of each process after the run, less that after the warm-up.
    """

    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    growth_kib: Mapping[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0


def run(
    stack: Stack, attackers: Sequence[Attacker], *, count: int, warm_up: int, seed: int, keep: Path, tell: Tell = print
) -> Report:
    """Sends `warm_up` uploads, then `count` others; one at a time from each attacker.

    Args:
        keep: Folder for the requests that something was wrong with.
    """
    report = Report()
    pids = _pids(stack)
    tell(f"warming up with {warm_up} uploads")
    _send_all(attackers, uploads(warm_up, seed + 1), report, keep)
    before = _resident_kib(pids)
    report.answers.clear()
    report.ends.clear()
    started = time.monotonic()
    tell(f"{count} uploads of seed {seed}, {len(attackers)} at a time")
    _send_all(attackers, uploads(count, seed), report, keep)
    report.elapsed_s = time.monotonic() - started
    after = _resident_kib(pids)
    report.growth_kib = {name: after[name] - before[name] for name in pids}
    report.faults += [f"{name} grew by {kib} KiB" for name, kib in report.growth_kib.items() if kib >= GROWTH_LIMIT_KIB]
    if (now := _pids(stack)) != pids:
        report.faults.append(f"a process was started again: {pids} before, {now} now")
    photo = attackers[0].stores(media.jpeg(640, 480))
    if not any(variant["status"] == "ready" for variant in photo["variants"]):
        report.faults.append(f"an honest photo has no variant: {photo}")
    return report


def _send_all(attackers: Sequence[Attacker], those: Iterable[Upload], report: Report, keep: Path) -> None:
    queue, lock = iter(those), threading.Lock()

    def work(attacker: Attacker) -> None:
        while True:
            with lock:
                upload = next(queue, None)
            if upload is None:
                return
            try:
                answer, end = _send(attacker, upload)
            except Exception as exc:  # noqa: BLE001  whatever it was, it is told, and the run goes on
                with lock:
                    report.faults.append(f"{upload.origin}: {exc!r}: {_kept(upload, keep)}")
                continue
            with lock:
                report.answers[answer] += 1
                report.ends[end] += 1

    with ThreadPoolExecutor(len(attackers)) as pool:
        for done in [pool.submit(work, attacker) for attacker in attackers]:
            done.result()


def _send(attacker: Attacker, upload: Upload) -> tuple[str, str]:
    """The answer, and what became of the item in the end.

    Raises:
        AssertionError: Something that the reference does not tell of, a fault of the service's own, or no end.
    """
    answer = attacker.client.http.post("/v1/media", content=upload.content, headers=dict(upload.headers))
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 429, "the strangers are too fast for this to be a trial"
    if answer.status_code != 201:
        code = answer.json()["error"]["code"]
        return f"{answer.status_code} {code}", "refused"
    settled: Json = attacker.client.settled_media(answer.json()["id"], within_s=120)
    assert settled["status"] in ("ready", "rejected"), settled
    return "201", settled["error"]["code"] if settled["error"] else "ready"


def _kept(upload: Upload, folder: Path) -> Path:
    path = folder / f"{hashlib.sha256(upload.content).hexdigest()[:16]}.form"
    path.write_bytes(upload.content)
    return path


def _pids(stack: Stack) -> Mapping[str, int]:
    return {name: pid for name, pid in stack.pids.items() if name in WATCHED}


def _resident_kib(pids: Mapping[str, int]) -> Mapping[str, int]:
    """VmRSS, proc(5), of the processes that stay. Decoders do not: each lives as long as one file."""
    time.sleep(REST_S)
    return {name: _status_kib(pid, "VmRSS") for name, pid in pids.items()}


def _status_kib(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
