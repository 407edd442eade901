"""Clients at work while something happens to the service, and what they saw of it."""

import hashlib
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
MIB = 1 << 20
BETWEEN_PIECES_S = 0.5
# Of a piece that goes out slowly, so that some request is half way in whatever happens to its servers.
CHUNK_BYTES = MIB // 2
BETWEEN_CHUNKS_S = 0.2


@dataclass(slots=True)
class Seen:
    """What clients were answered, and what they were promised."""

    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    media: dict[str, str] = field(default_factory=dict)  # id → SHA-256 of what was sent
    in_pieces: list[str] = field(default_factory=list)  # of these
    posts: dict[str, str] = field(default_factory=dict)  # id → text

    def uploaded(self, media_id: str, data: bytes) -> None:
        """That item must become ready, and be these bytes."""
        self.media[media_id] = hashlib.sha256(data).hexdigest()


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
        while (answer := self.once(method, path, headers, **request)) is None:
            assert time.monotonic() < ends, self._seen.refused[-1]
        return answer

    def once(self, method: str, path: str, headers: Mapping[str, str], **request: object) -> httpx.Response | None:
        """None: it broke off or was refused, and by now may be asked again."""
        what = f"{method} {path.rpartition('/')[0] if path.count('/') > 2 else path}"
        try:
            answer = self._client.http.request(method, path, headers=headers, **request)  # type: ignore[arg-type]
        except httpx.TransportError as exc:
            self._seen.refused.append(f"{what}: {exc!r}")
            time.sleep(PAUSE_S)
            return None
        if answer.is_success or answer.status_code == GOES_ON:
            self._seen.answers[what] += 1
            return answer
        code = answer.json()["error"]["code"]
        # A key whose holder was killed is free again a while later.
        if code != "idempotency_in_progress":
            self._seen.refused.append(f"{what}: {answer.status_code} {answer.text}")
            assert code in ("unavailable", "deadline_exceeded"), answer.text
        time.sleep(float(answer.headers.get("retry-after", PAUSE_S)))
        return None


Task = Callable[[Caller, Seen], None]


def uploads(caller: Caller, seen: Seen) -> None:
    """A photo."""
    data = media.jpeg()
    seen.uploaded(caller.ask("POST", "/v1/media", files={"file": ("a.jpg", data)})["id"], data)


def in_pieces(caller: Caller, seen: Seen) -> None:
    """A photo in three pieces, each of them sent at once."""
    data = media.jpeg()
    resumed(caller, seen, "pieces.jpg", data, [len(data) // 3, len(data) // 2])


def in_parts(caller: Caller, seen: Seen) -> None:
    """A film in three pieces that take their time: one that fills a part of its object, one that does not, the rest."""
    data = media.padded(media.film(), 6 * MIB)
    resumed(caller, seen, "parts.mp4", data, [5 * MIB, 5 * MIB + CHUNK_BYTES])


def resumed(caller: Caller, seen: Seen, filename: str, data: bytes, ends: Sequence[int]) -> None:
    """An upload as the documentation has it: what did not get through is asked about, and goes on from there.

    Args:
        ends: Of its pieces, but for the last.
    """
    size, stored = len(data), 0
    begun = caller.ask("POST", "/v1/uploads", json={"filename": filename, "sizeBytes": size})
    place = f"/v1/uploads/{begun['id']}"
    while True:
        end = next(it for it in (*ends, size) if it > stored)
        headers = {"content-range": f"bytes {stored}-{end - 1}/{size}", "content-length": str(end - stored)}
        answer = caller.once("PUT", place, headers, content=_slowly(data[stored:end]))
        acknowledged = answer is not None
        answer = answer or caller.send("PUT", place, {"content-range": f"bytes */{size}"})
        if answer.status_code != GOES_ON:
            media_id = body(answer)["id"]
            seen.uploaded(media_id, data)
            seen.in_pieces.append(media_id)
            return
        there = _stored(answer)
        # What was acknowledged once stays.
        assert there == end if acknowledged else stored <= there <= end, (stored, end, answer.headers)
        stored = there
        time.sleep(BETWEEN_PIECES_S)


def _stored(answer: httpx.Response) -> int:
    """How many bytes it says are there."""
    last = answer.headers.get("range", "").removeprefix("bytes=0-")
    return int(last) + 1 if last else 0


def _slowly(data: bytes) -> Iterator[bytes]:
    for number, chunk in enumerate(media.chunks(data, CHUNK_BYTES)):
        if number:
            time.sleep(BETWEEN_CHUNKS_S)
        yield chunk


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

    tasks = [uploads, in_pieces, in_parts, posts(bluesky(stack)), reads, *more]
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
        for media_id, sent in seen.media.items():
            assert client.settled_media(media_id)["status"] == "ready"
            source = client.http.get(f"/v1/media/{media_id}/source")
            assert (source.status_code, hashlib.sha256(source.content).hexdigest()) == (200, sent)
        for post_id in seen.posts:
            assert client.settled_post(post_id)["status"] == "published"
    finally:
        client.close()
    there = Counter(it["text"] for it in received(stack, "bluesky"))
    assert {text: there[text] for text in seen.posts.values()} == dict.fromkeys(seen.posts.values(), 1)
