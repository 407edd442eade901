"""Clients at work while something happens to the service, and what they saw of it."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import PATIENCE_S, Client, Json, body, post_body
from tests.e2e.tenants import received

PAUSE_S = 0.2  # between one client's rounds, and before what was refused is asked again
NO_HEADERS: Mapping[str, str] = {}
GOES_ON = 308  # a piece is there, and others are missing


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

    def ask(self, method: str, path: str, headers: Mapping[str, str] = NO_HEADERS, **request: object) -> Json:
        return body(self.send(method, path, headers, **request))

    def send(self, method: str, path: str, headers: Mapping[str, str], **request: object) -> httpx.Response:
        if method == "POST":
            headers = {**headers, "Idempotency-Key": uuid.uuid4().hex}
        ends = time.monotonic() + PATIENCE_S
        while (answer := self._answer(method, path, headers, request)) is None:
            assert time.monotonic() < ends, self._seen.refused[-1]
            time.sleep(PAUSE_S)
        return answer

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], request: dict[str, object]
    ) -> httpx.Response | None:
        what = f"{method} {path.rpartition('/')[0] if path.count('/') > 2 else path}"
        try:
            answer = self._client.http.request(method, path, headers=headers, **request)  # type: ignore[arg-type]
        except httpx.TransportError as exc:
            self._seen.refused.append(f"{what}: {exc!r}")
            return None
        if answer.is_success or answer.status_code == GOES_ON:
            self._seen.answers[what] += 1
            return answer
        code = answer.json()["error"]["code"]
        # A key whose holder was killed is free again a while later.
        if code != "idempotency_in_progress":
            self._seen.refused.append(f"{what}: {answer.status_code} {answer.text}")
            assert code in ("unavailable", "deadline_exceeded"), answer.text
        return None


Task = Callable[[Caller, Seen], None]


def uploads(caller: Caller, seen: Seen) -> None:
    """A photo."""
    seen.media.append(caller.ask("POST", "/v1/media", files={"file": ("a.jpg", media.jpeg())})["id"])


def posts(account: str) -> Task:
    """A text of its own to that account."""

    def post(caller: Caller, seen: Seen) -> None:
        publish(caller, seen, account)

    return post


def publish(caller: Caller, seen: Seen, account: str, *media_ids: str) -> str:
    """A post with a text of its own; its id."""
    text = f"rolling {uuid.uuid4().hex}"
    target = {"platform": "bluesky", "accountId": account}
    post_id: str = caller.ask("POST", "/v1/posts", json=post_body(text, media_ids, [target]))["id"]
    seen.posts[post_id] = text
    return post_id


def reads(caller: Caller, _: Seen) -> None:
    """Lists of every stage that has one."""
    for path in ("/v1/media", "/v1/posts", "/v1/accounts", "/v1/platforms"):
        caller.ask("GET", path)


def bluesky(stack: Stack) -> str:
    """The account that posts go to."""
    return next(one.id for one in stack.tenant.accounts if one.platform == "bluesky")


@contextmanager
def busy(stack: Stack, more: Sequence[Task] = (), *, pause_s: float = PAUSE_S) -> Iterator[Seen]:
    """Clients at work as long as the block lasts, and everything they began settled and looked at afterwards."""
    seen, ended = Seen(), threading.Event()

    def work(task: Task) -> None:
        client = Client(stack.url, stack.api_key)
        try:
            while not ended.wait(pause_s):
                task(Caller(client, seen), seen)
        finally:
            client.close()

    tasks = [uploads, posts(bluesky(stack)), reads, *more]
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
