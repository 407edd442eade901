"""One, two and three of each stage, each held to a small share of a core: how much of three kinds of work they do, and
how evenly they share it.
"""

import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.cpu_share import Controller, Shares, controller
from bench.harness import Bar, Section, say, table
from deploy.local.ports import HOST, Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from tests import media
from tests.e2e.client import UNSETTLED_MEDIA, Client, body
from tests.e2e.tenants import received

# Of a core, for each process of a stage: so little that three of each leave the machine room.
SHARES = {"gateway": 0.08, "ingest": 0.15, "scanner": 0.04, "transcoder": 0.08, "publisher": 0.12}
# How many of each stage, and how many times as much as one of each they do at least.
LEAST_TIMES = {1: 1.0, 2: 1.6, 3: 2.2}
CLIENTS = 6  # for each replica, so that all counts are asked for more than they do
PAGE = 4  # items of each list read
LOOK_EVERY_S = 0.25
PATIENCE_S = 300.0
LEAST_SHARE = 0.5  # of an equal part of the work: connections are few, so they are not quite alike
# What a stage counts of its work.
COUNTED = {
    "gateway": "gateway_http_requests_total",
    "ingest": "rpc_served_seconds_count",
    "scanner": "scanner_verdicts_total",
    "transcoder": "transcoder_jobs_total",
    "publisher": "publisher_targets_total",
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is done of each work. photos, posts: for each replica, so that all counts take about as long."""

    lists_s: float
    photos: int
    posts: int


# What is done for the first time takes longer than ever after, and is not what is asked here.
WARMING_UP = Load(lists_s=2.0, photos=PAGE, posts=10)
MEASURED = Load(lists_s=10.0, photos=15, posts=30)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done.

    Attributes:
        per_s: Of the work's own unit.
        cpu_s: The stages' for one of it.
        used: What each stage used of its share, 1 being all.
        machine: What all that ran used of the machine's cores, 1 being all.
    """

    per_s: float
    cpu_s: float
    used: Mapping[str, float]
    machine: float


def measure(rounds: int) -> Section:
    """Rounds are interleaved: each has a service of its own for each count.

    Raises:
        LocalError: stages cannot be given a share here, or one of them ended.
    """
    control, load = controller(), os.getloadavg()[0]
    done: dict[tuple[str, int], list[Done]] = {}
    evenness = dict.fromkeys(COUNTED, 1.0)
    for n in range(rounds):
        for count in LEAST_TIMES:
            results, even = _round(control, count)
            for name, one in results.items():
                done.setdefault((name, count), []).append(one)
                say(f"{n + 1}/{rounds} {count} of each, {name}: {one}")
            evenness = {stage: min(least, even[stage]) for stage, least in evenness.items()}
    rows = [[name, f"{count}", *_figures(done, name, count)] for name in WORKS for count in LEAST_TIMES]
    head = ("work", "of each", "a second", "÷ one", "busiest stage, of its share", "machine", "stages' CPU for one")
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in SHARES.items())
    circumstances = (
        f"Each process of a stage may use this much of a core: {shares}; nothing else is limited."
        f" For each replica {CLIENTS} clients on the same machine, {MEASURED.photos} photos and {MEASURED.posts} posts;"
        f" lists of {PAGE} for {MEASURED.lists_s:g} s."
        f" Medians of {rounds}; before, the load of the machine was {load:.1f}."
    )
    return Section(f"{circumstances}\n\n{table(head, rows)}", [*_gains(done), *_evenness(evenness)])


def _round(control: Controller, count: int) -> tuple[dict[str, Done], dict[str, float]]:
    """All kinds of work by that many of each stage; and of each stage, see `_evenness_of`."""
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free(), tell=say, replicas=count) as stack,
        Shares(control) as shares,
    ):
        for work in WORKS.values():
            work(stack, WARMING_UP, count)
        # Only now: a start is no part of the work. Inside the stack, so that a stop is not held back either.
        limited = {name: pid for name, pid in stack.pids.items() if _stage(name) in SHARES}
        for name, pid in limited.items():
            shares.limit(name, pid, SHARES[_stage(name)])
        results = {name: _measured(stack, shares, list(limited), count, work) for name, work in WORKS.items()}
        for name, pid in limited.items():
            if stack.pids.get(name) != pid:
                raise RuntimeError(f"{name} ended while it was measured, and what came after it was not limited")
        return results, {stage: _evenness_of(stack, stage) for stage in COUNTED}


def _measured(
    stack: Stack, shares: Shares, names: Sequence[str], count: int, work: Callable[[Stack, Load, int], int]
) -> Done:
    def used_s() -> dict[str, float]:
        return {stage: sum(shares.used_s(name) for name in names if _stage(name) == stage) for stage in SHARES}

    before, machine, began = used_s(), _machine_s(), time.monotonic()
    times = work(stack, MEASURED, count)
    took_s = time.monotonic() - began
    used = {stage: after - before[stage] for stage, after in used_s().items()}
    busy_s, all_s = (after - then for after, then in zip(_machine_s(), machine, strict=True))
    return Done(
        per_s=times / took_s,
        cpu_s=sum(used.values()) / times,
        used={stage: s / took_s / count / SHARES[stage] for stage, s in used.items()},
        machine=busy_s / all_s,
    )


def _lists(stack: Stack, load: Load, count: int) -> int:
    """Clients that each read again and again. What fails is raised."""
    ends, over = time.monotonic() + load.lists_s, threading.Event()

    def work(_: int) -> int:
        client, times = Client(stack.url, stack.api_key), 0
        try:
            while not over.is_set() and time.monotonic() < ends:
                page = body(client.http.get("/v1/media", params={"limit": PAGE}))
                assert len(page["data"]) == PAGE
                times += 1
        except BaseException:
            over.set()
            raise
        finally:
            client.close()
        return times

    with ThreadPoolExecutor(CLIENTS * count) as pool:
        return sum(pool.map(work, range(CLIENTS * count)))


def _photos(stack: Stack, load: Load, count: int) -> int:
    """Until the last of them is ready."""
    photo, client = media.jpeg(), Client(stack.url, stack.api_key)

    def ready(media_id: str) -> bool:
        status = client.media(media_id)["status"]
        assert status == "ready" or status in UNSETTLED_MEDIA, status
        return bool(status == "ready")

    try:
        with ThreadPoolExecutor(CLIENTS * count) as pool:
            ids = [body(answer)["id"] for answer in pool.map(client.upload, [photo] * load.photos * count)]
        for media_id in ids:
            _wait(lambda: ready(media_id))  # noqa: B023  called before the next
    finally:
        client.close()
    return len(ids)


def _posts(stack: Stack, load: Load, count: int) -> int:
    """Text alone; until the last of them has arrived."""
    account = next(one.id for one in stack.tenant.accounts if one.platform == "bluesky")
    targets = [{"platform": "bluesky", "accountId": account}]
    texts = [f"measured {uuid.uuid4().hex}" for _ in range(load.posts * count)]
    client = Client(stack.url, stack.api_key)
    try:
        with ThreadPoolExecutor(CLIENTS * count) as pool:
            for answer in pool.map(lambda text: client.create_post(text, [], targets), texts):
                body(answer)
    finally:
        client.close()
    _wait(lambda: set(texts) <= {it["text"] for it in received(stack, "bluesky")})
    return len(texts)


# How often it was done by so many of each stage.
WORKS: Mapping[str, Callable[[Stack, Load, int], int]] = {
    "photos, until ready": _photos,
    "lists read": _lists,
    "posts, until published": _posts,
}


def _wait(holds: Callable[[], bool]) -> None:
    """Looks less often than tests do: who looks takes from what is measured."""
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends, f"not after {PATIENCE_S:.0f} s"
        time.sleep(LOOK_EVERY_S)


def _gain(done: Mapping[tuple[str, int], Sequence[Done]], name: str, count: int) -> float:
    one, more = (statistics.median(one.per_s for one in done[name, each]) for each in (1, count))
    return more / one


def _figures(done: Mapping[tuple[str, int], Sequence[Done]], name: str, count: int) -> list[str]:
    runs = done[name, count]
    used = {stage: statistics.median(run.used[stage] for run in runs) for stage in SHARES}
    busiest = max(used, key=lambda stage: used[stage])
    return [
        f"{statistics.median(run.per_s for run in runs):.1f}",
        f"{_gain(done, name, count):.2f}",
        f"{busiest} {used[busiest]:.0%}",
        f"{statistics.median(run.machine for run in runs):.0%}",
        f"{1000 * statistics.median(run.cpu_s for run in runs):.0f} ms",
    ]


def _gains(done: Mapping[tuple[str, int], Sequence[Done]]) -> list[Bar]:
    gains = [(name, count, _gain(done, name, count)) for name in WORKS for count in LEAST_TIMES if count > 1]
    return [
        Bar(f"{name}: {count} of each do ≥ {LEAST_TIMES[count]} × of what one does", f"{gain:.2f} ×", kept)
        for name, count, gain in gains
        for kept in [gain >= LEAST_TIMES[count]]
    ]


def _evenness(least: Mapping[str, float]) -> list[Bar]:
    return [
        Bar(f"{stage}: each does ≥ {LEAST_SHARE:.0%} of an equal part", f"{part:.0%}", part >= LEAST_SHARE)
        for stage, part in least.items()
    ]


def _evenness_of(stack: Stack, stage: str) -> float:
    """What the replica did that did least, 1 being an equal part of that stage's work."""
    each = stack.wiring.replicas or (stack.ports,)
    counts = [_counted(getattr(ports, f"{stage}_metrics"), COUNTED[stage]) for ports in each]
    return min(counts) / statistics.mean(counts)


def _counted(port: int, series: str) -> float:
    answer = httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False, timeout=60)
    families = text_string_to_metric_families(answer.text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == series)


def _machine_s() -> tuple[float, float]:
    """Seconds since its start of all its cores: busy ones, and all."""
    _, *fields = Path("/proc/stat").read_text().partition("\n")[0].split()
    ticks = [int(field) for field in fields[:8]]  # guests', which follow, are among the users'
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), sum(ticks) / os.sysconf("SC_CLK_TCK")


def _stage(name: str) -> str:
    """Of a replica."""
    return name.partition("-")[0]
