"""One of each stage, then two: how much of three kinds of work they do, and how evenly the two share it."""

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

from bench.harness import Bar, Section, say, table
from deploy.local.ports import HOST, Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from tests import media
from tests.e2e.client import Client, body, eventually
from tests.e2e.tenants import received

COUNTS = (1, 2)
CLIENTS = 8
LASTS_S = 10.0  # of lists and photos
POSTS = 400  # fewer than the sandbox shows at once
PATIENCE_S = 300.0
LEAST_SHARE = 0.25  # of the work of two: connections are few, so they are not quite alike
# What a stage counts of its work.
COUNTED = {
    "gateway": "gateway_http_requests_total",
    "ingest": "rpc_served_seconds_count",
    "scanner": "scanner_verdicts_total",
    "transcoder": "transcoder_jobs_total",
    "publisher": "publisher_targets_total",
}


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. per_s: of the work's own unit. cpu_s: the stages' for one of it."""

    per_s: float
    cpu_s: float


def measure(rounds: int) -> Section:
    """Rounds are interleaved: each has a service of its own for each count."""
    load = os.getloadavg()[0]
    done: dict[tuple[str, int], list[Done]] = {}
    shares: dict[str, float] = dict.fromkeys(COUNTED, 1.0)
    for n in range(rounds):
        for count in COUNTS:
            with (
                tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
                Stack(State(Path(folder)), ports=Ports.free(), tell=say, replicas=count) as stack,
            ):
                for name, work in WORKS.items():
                    done.setdefault((name, count), []).append(work(stack))
                    say(f"{n + 1}/{rounds} {count} of each, {name}: {done[name, count][-1]}")
                if count > 1:
                    shares = {stage: min(least, _least_share(stack, stage)) for stage, least in shares.items()}
    rows = [[name, f"{count}", *_figures(done, name, count)] for name in WORKS for count in COUNTS]
    head = ("work", "of each stage", "a second", "÷ one of each", "stages' CPU for one")
    circumstances = (
        f"{CLIENTS} clients on the same machine; lists and photos for {LASTS_S:g} s, {POSTS} posts."
        f" Medians of {rounds}; before, the load of the machine was {load:.1f}."
    )
    bars = [
        Bar(f"{stage}: each of two does ≥ {LEAST_SHARE:.0%} of its work", f"{share:.0%}", share >= LEAST_SHARE)
        for stage, share in shares.items()
    ]
    return Section(f"{circumstances}\n\n{table(head, rows)}", bars)


def _lists(stack: Stack) -> Done:
    def once(client: Client) -> None:
        body(client.http.get("/v1/media"))

    return _steadily(stack, once)


def _photos(stack: Stack) -> Done:
    def once(client: Client) -> None:
        assert client.stored(media.jpeg())["status"] == "ready"

    return _steadily(stack, once)


def _posts(stack: Stack) -> Done:
    """Text alone; until the last of them has arrived."""
    account = next(one.id for one in stack.tenant.accounts if one.platform == "bluesky")
    targets = [{"platform": "bluesky", "accountId": account}]
    texts = [f"measured {uuid.uuid4().hex}" for _ in range(POSTS)]
    client, began, before = Client(stack.url, stack.api_key), time.monotonic(), _cpu_s(stack)
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            for answer in pool.map(lambda text: client.create_post(text, [], targets), texts):
                body(answer)
    finally:
        client.close()
    eventually(lambda: set(texts) <= {it["text"] for it in received(stack, "bluesky")}, within_s=PATIENCE_S)
    return Done(POSTS / (time.monotonic() - began), (_cpu_s(stack) - before) / POSTS)


WORKS: Mapping[str, Callable[[Stack], Done]] = {
    "lists read": _lists,
    "photos, until ready": _photos,
    "posts, until published": _posts,
}


def _steadily(stack: Stack, once: Callable[[Client], None]) -> Done:
    """Clients that each do it again and again. What fails is raised."""
    began, before, over = time.monotonic(), _cpu_s(stack), threading.Event()

    def work(_: int) -> int:
        client, times = Client(stack.url, stack.api_key), 0
        try:
            while not over.is_set() and time.monotonic() < began + LASTS_S:
                once(client)
                times += 1
        except BaseException:
            over.set()
            raise
        finally:
            client.close()
        return times

    with ThreadPoolExecutor(CLIENTS) as pool:
        times = sum(pool.map(work, range(CLIENTS)))
    return Done(times / (time.monotonic() - began), (_cpu_s(stack) - before) / times)


def _figures(done: Mapping[tuple[str, int], Sequence[Done]], name: str, count: int) -> list[str]:
    per_s = {each: statistics.median(one.per_s for one in done[name, each]) for each in (COUNTS[0], count)}
    cpu_s = statistics.median(one.cpu_s for one in done[name, count])
    return [f"{per_s[count]:.1f}", f"{per_s[count] / per_s[COUNTS[0]]:.2f}", f"{1000 * cpu_s:.0f} ms"]


def _least_share(stack: Stack, stage: str) -> float:
    """Of that stage's work, what the replica did that did least."""
    counts = [_counted(getattr(ports, f"{stage}_metrics"), COUNTED[stage]) for ports in stack.wiring.replicas]
    return min(counts) / sum(counts)


def _counted(port: int, series: str) -> float:
    families = text_string_to_metric_families(httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False).text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == series)


def _cpu_s(stack: Stack) -> float:
    """What the stages have used so far, and children of theirs that have ended."""
    ticks = 0
    for name, pid in stack.pids.items():
        if name.partition("-")[0] in COUNTED:
            # Past the name in brackets, which may have blanks of its own: utime, stime, cutime, cstime.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")
