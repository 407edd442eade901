"""Two of each stage: restarted in turn, nobody notices; one of them killed or cut off, nothing is lost."""

import asyncio
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy.local.nats import Nats, http_status
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.stack import Stack
from deploy.local.stages import STAGES, WITH_TABLES
from deploy.local.state import State
from tests import media
from tests.e2e.client import PATIENCE_S, Client, Json, body, eventually, post_body
from tests.e2e.line import Line, line
from tests.e2e.tenants import received

REPLICAS = 2
ALL = [(stage, f"{stage}-1") for stage in STAGES]
PAUSE_S = 0.2  # between one client's rounds


@dataclass(frozen=True, slots=True)
class Pair:
    """Two of each stage behind one Envoy; the second of each has a line to each store, which can fall silent."""

    stack: Stack
    lines: Sequence[Line]


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    """Started once."""
    ports = Ports.free()
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        state = State(Path(folder))
        async with line(ports.postgres) as postgres, line(ports.nats) as nats:
            tuned = {f"{stage}-1": by_line(state, stage, postgres, nats) for stage in WITH_TABLES}
            stack = Stack(state, ports=ports, tell=print, replicas=REPLICAS, tuned=tuned)
            try:
                await asyncio.to_thread(stack.start)
                yield Pair(stack, (postgres, nats))
            finally:
                await asyncio.to_thread(stack.stop)


def by_line(state: State, stage: str, postgres: Line, nats: Line) -> dict[str, object]:
    """Where its stores are, by their lines."""
    password = state.secret(f"postgres-{stage}")
    database = Postgres(state, port=postgres.port).url(user=f"mediaapi_{stage}", password=password)
    found: dict[str, object] = {"database_url_file": state.write_secret(f"{stage}.database_by_line", database)}
    if stage != "gateway":
        bus = Nats(state, port=nats.port, monitor_port=0).url(stage)
        found["nats_url_file"] = state.write_secret(f"{stage}.nats_by_line", bus)
    return found


@dataclass(slots=True)
class Seen:
    """What clients were answered, and what they were promised."""

    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    posts: dict[str, str] = field(default_factory=dict)  # id → text


class Caller:
    """A client that repeats, under the same key, what the reference says to repeat; and counts it."""

    def __init__(self, client: Client, seen: Seen) -> None:
        self._client = client
        self._seen = seen

    def ask(self, method: str, path: str, **request: object) -> Json:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        ends = time.monotonic() + PATIENCE_S
        while (answer := self._answer(method, path, headers, request)) is None:
            assert time.monotonic() < ends, self._seen.refused[-1]
            time.sleep(PAUSE_S)
        return body(answer)

    def _answer(
        self, method: str, path: str, headers: dict[str, str], request: dict[str, object]
    ) -> httpx.Response | None:
        what = f"{method} {path.rpartition('/')[0] if path.count('/') > 2 else path}"
        try:
            answer = self._client.http.request(method, path, headers=headers, **request)  # type: ignore[arg-type]
        except httpx.TransportError as exc:
            self._seen.refused.append(f"{what}: {exc!r}")
            return None
        if answer.is_success:
            self._seen.answers[what] += 1
            return answer
        code = answer.json()["error"]["code"]
        # A key whose holder was killed is free again a while later.
        if code != "idempotency_in_progress":
            self._seen.refused.append(f"{what}: {answer.status_code} {answer.text}")
            assert code in ("unavailable", "deadline_exceeded"), answer.text
        return None


def uploads(caller: Caller, seen: Seen) -> None:
    """A photo."""
    seen.media.append(caller.ask("POST", "/v1/media", files={"file": ("a.jpg", media.jpeg())})["id"])


def posts(account: str) -> Callable[[Caller, Seen], None]:
    """A text of its own to that account."""

    def post(caller: Caller, seen: Seen) -> None:
        text = f"rolling {uuid.uuid4().hex}"
        made = caller.ask(
            "POST", "/v1/posts", json=post_body(text, [], [{"platform": "bluesky", "accountId": account}])
        )
        seen.posts[made["id"]] = text

    return post


def reads(caller: Caller, _: Seen) -> None:
    """Lists of every stage that has one."""
    for path in ("/v1/media", "/v1/posts", "/v1/accounts", "/v1/platforms"):
        caller.ask("GET", path)


@contextmanager
def busy(stack: Stack) -> Iterator[Seen]:
    """Clients at work as long as the block lasts, and everything they began settled and looked at afterwards."""
    account = next(one.id for one in stack.tenant.accounts if one.platform == "bluesky")
    seen, ended = Seen(), threading.Event()

    def work(task: Callable[[Caller, Seen], None]) -> None:
        client = Client(stack.url, stack.api_key)
        try:
            while not ended.wait(PAUSE_S):
                task(Caller(client, seen), seen)
        finally:
            client.close()

    tasks = [uploads, posts(account), reads]
    with ThreadPoolExecutor(len(tasks)) as pool:
        running = [pool.submit(work, task) for task in tasks]
        try:
            yield seen
        finally:
            ended.set()
        for one in running:
            one.result()
    client = Client(stack.url, stack.api_key)
    try:
        for media_id in seen.media:
            assert client.settled_media(media_id)["status"] == "ready"
        for post_id in seen.posts:
            assert client.settled_post(post_id)["status"] == "published"
    finally:
        client.close()
    there = Counter(it["text"] for it in received(stack, "bluesky"))
    assert {text: there[text] for text in seen.posts.values()} == dict.fromkeys(seen.posts.values(), 1)


@pytest.mark.timeout(300)
async def test_all_restarted_one_of_each_at_a_time_and_nobody_notices(pair: Pair) -> None:
    def restarted() -> Seen:
        with busy(pair.stack) as seen:
            for names in zip(*ALL, strict=True):
                with ThreadPoolExecutor(len(names)) as pool:
                    list(pool.map(restart, names))
        return seen

    def restart(name: str) -> None:
        pair.stack.stop_daemon(name)
        pair.stack.start_daemon(name)

    seen = await asyncio.to_thread(restarted)
    # Of calls that were being answered just then, a client may have to repeat one or the other.
    assert len(seen.refused) <= len(STAGES), "\n".join(seen.refused)
    assert len(seen.media) > len(ALL)
    assert len(seen.posts) > len(ALL)


@pytest.mark.timeout(300)
async def test_one_of_each_killed_and_nothing_is_lost(pair: Pair) -> None:
    def killed() -> Seen:
        with busy(pair.stack) as seen:
            for stage in STAGES:
                pair.stack.kill(stage)
                pair.stack.wait_ready(stage, within_s=60)
        return seen

    seen = await asyncio.to_thread(killed)
    # What was under way in a process that died may have to be asked again: no more than each client had open.
    assert len(seen.refused) <= 3 * len(STAGES), seen.refused
    assert seen.media
    assert seen.posts


@pytest.mark.timeout(300)
async def test_one_that_is_cut_off_says_so_and_comes_back(pair: Pair) -> None:
    def silence(silent: bool) -> None:
        for one in pair.lines:
            one.silence(silent)

    def cut_off() -> Seen:
        with busy(pair.stack) as seen:
            silence(True)
            try:
                eventually(lambda: all_say(503), within_s=60)
                before = sum(seen.answers.values())
                eventually(lambda: sum(seen.answers.values()) > before + 20, within_s=60)
            finally:
                silence(False)
            eventually(lambda: all_say(200), within_s=60)
        return seen

    def all_say(status: int) -> bool:
        return all(readiness(pair.stack, stage) == status for stage in WITH_TABLES)

    seen = await asyncio.to_thread(cut_off)
    assert seen.media
    assert seen.posts


def readiness(stack: Stack, stage: str) -> int:
    """What the second of them says."""
    port = getattr(stack.wiring.replicas[1], f"{stage}_metrics")
    return http_status(f"http://{HOST}:{port}/readyz", timeout_s=10)
