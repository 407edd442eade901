"""Two of each stage: restarted in turn, nobody notices; one of them killed, nothing is lost."""

import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from deploy.local.state import State
from tests import media
from tests.e2e.client import Client, Json, body, post_body
from tests.e2e.tenants import received

REPLICAS = 2
ALL = tuple(name for stage in STAGES for name in (stage, f"{stage}-1"))
PAUSE_S = 0.2  # between one client's rounds


@pytest.fixture(scope="module")
def pair() -> Iterator[Stack]:
    """Two of each stage behind one Envoy."""
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free(), tell=print, replicas=REPLICAS) as running,
    ):
        yield running


@dataclass(slots=True)
class Seen:
    """What clients were answered, and what they were promised."""

    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    media: list[str] = field(default_factory=list)
    posts: dict[str, str] = field(default_factory=dict)  # id → text


class Caller:
    """A client that repeats what is answered 503, under the same key, as the reference says; and counts it."""

    def __init__(self, client: Client, seen: Seen) -> None:
        self._client = client
        self._seen = seen

    def ask(self, method: str, path: str, **request: object) -> Json:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        for _ in range(20):
            answer = self._answer(method, path, headers, request)
            if answer is not None:
                return body(answer)
            threading.Event().wait(0.3)
        raise AssertionError(f"{method} {path}: no answer in twenty tries")

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
        self._seen.refused.append(f"{what}: {answer.status_code} {answer.text}")
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"]
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
def test_all_restarted_in_turn_and_no_request_failed(pair: Stack) -> None:
    with busy(pair) as seen:
        for name in ALL:
            pair.stop_daemon(name)
            pair.start_daemon(name)
    assert not seen.refused, "\n".join(seen.refused)
    assert len(seen.media) > len(ALL)
    assert len(seen.posts) > len(ALL)


@pytest.mark.timeout(300)
def test_one_of_each_killed_and_nothing_is_lost(pair: Stack) -> None:
    with busy(pair) as seen:
        for stage in STAGES:
            pair.kill(stage)
            pair.wait_ready(stage, within_s=60)
    # What was under way in a process that died may have to be asked again: no more than each client had open.
    assert len(seen.refused) <= 3 * len(STAGES), seen.refused
    assert seen.media
    assert seen.posts
