"""Twenty uploads in pieces at once, in every dialect, while what they pass through is killed again and again."""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest

from deploy.local.s3 import ACTIVE, QUARANTINE
from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, eventually, until
from tests.e2e.dialects import Sender
from tests.e2e.tenants import Tenancy
from tests.faults import SCALE

UPLOADS = 20
SMALLEST, LARGEST = 10_000_000, min(11_000_000 * SCALE, 250_000_000)
PIECE_BYTES = 3 << 20
KILLS = 4 * SCALE
# Of all bytes acknowledged when the first of them falls, and the last: no matter how fast this machine is.
FIRST_KILL, LAST_KILL = 0.02, 0.85
VICTIMS = ("ingest", "gateway", "s3")
WITHIN_S = 120.0 * SCALE
UNPROMOTED = ("receiving", "scanning")


@dataclass(frozen=True, slots=True)
class Sent:
    """One file that was acknowledged in full."""

    media_id: str
    size_bytes: int
    sha256: str
    failures: int


def file(number: int) -> bytes:
    """A film, and behind it a box that players skip, in which no two megabytes are alike."""
    chance = random.Random(number)  # noqa: S311  repeatable, not secret
    found = bytearray(media.padded(media.film(), chance.randint(SMALLEST, LARGEST)))
    noise = len(found) - (1 << 20)
    found[-noise:] = chance.randbytes(noise)
    return bytes(found)


class Tally:
    """How far all uploads are together."""

    def __init__(self) -> None:
        self._senders: list[Sender] = []

    def add(self, sender: Sender) -> None:
        self._senders.append(sender)

    def progress(self) -> float:
        """0 to 1; 0 until all have begun."""
        if len(self._senders) < UPLOADS:
            return 0.0
        return sum(one.acknowledged for one in self._senders) / sum(one.size_bytes for one in self._senders)


def send(stack: Stack, key: str, number: int, tally: Tally) -> Sent:
    """One client, from the beginning to the item."""
    data = file(number)
    sha256 = hashlib.sha256(data).hexdigest()
    client = Client(stack.url, key)
    try:
        wanted = {"filename": "film.mp4", "sizeBytes": len(data)} | ({"sha256": sha256} if number % 2 else {})
        made = client.persistently("POST", "/v1/uploads", json=wanted)
        chance = random.Random(number)  # noqa: S311  repeatable, not secret
        sender = Sender(client.http, f"/v1/uploads/{made['id']}", data, chance, piece_bytes=PIECE_BYTES)
        tally.add(sender)
        return Sent(sender.send_all(within_s=WITHIN_S), len(data), sha256, sender.failures)
    finally:
        client.close()


@contextmanager
def killing(stack: Stack, tally: Tally, seed: int) -> Iterator[list[str]]:
    """kill -9 at random moments. Yields whom it has met so far."""
    met: list[str] = []
    finished = threading.Event()
    chance = random.Random(seed)  # noqa: S311  repeatable, not secret
    moments = sorted(chance.uniform(FIRST_KILL, LAST_KILL) for _ in range(KILLS))
    victims = chance.sample(VICTIMS, len(VICTIMS)) + chance.choices(VICTIMS, k=KILLS - len(VICTIMS))

    def kill() -> None:
        for moment, victim in zip(moments, victims, strict=True):
            while tally.progress() < moment:
                if finished.wait(0.05):
                    return
            stack.kill(victim)
            met.append(victim)
            stack.wait_ready(victim, within_s=60)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(kill)
        try:
            yield met
        finally:
            finished.set()
        running.result()


def stored(stack: Stack, media_id: str) -> tuple[int, str]:
    """Size and sha256 of the one source object of an item, as the store itself has it."""
    s3 = stack.s3.client()
    (found,) = s3.list_objects_v2(Bucket=ACTIVE, Prefix=f"sources/{media_id}/")["Contents"]
    sha256 = hashlib.sha256()
    for chunk in s3.get_object(Bucket=ACTIVE, Key=found["Key"])["Body"].iter_chunks(1 << 20):
        sha256.update(chunk)
    return found["Size"], sha256.hexdigest()


def left_in_quarantine(stack: Stack, media_ids: set[str]) -> list[str]:
    """Objects and open multipart uploads of these items."""
    s3 = stack.s3.client()
    objects = [
        row["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=QUARANTINE)
        for row in page.get("Contents", [])
    ]
    uploads = [
        row["Key"]
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=QUARANTINE)
        for row in page.get("Uploads", [])
    ]
    return [key for key in (*objects, *uploads) if key.partition("/")[0] in media_ids]


@pytest.mark.timeout(300 * SCALE)
def test_twenty_uploads_lose_no_acknowledged_byte(stack: Stack, tenancy: Tenancy) -> None:
    client = tenancy.client
    key = client.http.headers["authorization"].removeprefix("Bearer ")
    tally = Tally()
    with killing(stack, tally, seed=SCALE) as met, ThreadPoolExecutor(UPLOADS) as pool:
        sent = list(pool.map(lambda number: send(stack, key, number, tally), range(UPLOADS)))
    assert set(met) == set(VICTIMS), met
    assert sum(one.failures for one in sent) >= len(met), "nothing was interrupted"

    ids = {one.media_id for one in sent}
    assert len(ids) == UPLOADS
    for one in sent:
        item = until(partial(client.media, one.media_id), lambda it: it["status"] not in UNPROMOTED, within_s=90)
        assert (item["sizeBytes"], item["sha256"], item["error"]) == (one.size_bytes, one.sha256, None)
        assert stored(stack, one.media_id) == (one.size_bytes, one.sha256)
    assert {item["id"] for item in client.all_media()} == ids
    eventually(lambda: not left_in_quarantine(stack, ids), within_s=30)
    for media_id in ids:  # Not to leave the machine at work on them.
        assert client.http.delete(f"/v1/media/{media_id}").status_code == 204
