"""A careful client of uploads in pieces: it speaks every dialect, and goes on from where it is told."""

import base64
import hashlib
import random
import time
from dataclasses import dataclass

import httpx

from tests.e2e.client import Json

TUS = {"tus-resumable": "1.0.0"}
TUS_PIECE = TUS | {"content-type": "application/offset+octet-stream"}
DRAFT = {"upload-draft-interop-version": "8"}
DRAFT_PIECE = DRAFT | {"content-type": "application/partial-upload"}
# What a client that goes on may be told meanwhile; all else is a fault of ours.
_FOR_NOW = frozenset((409, 423, 429))


@dataclass(frozen=True, slots=True)
class Progress:
    """What an answer says of an upload. media_id once it is complete."""

    offset: int
    media_id: str | None = None


class Put:
    """Content-Range, 308 and 200."""

    def ask(self, http: httpx.Client, url: str) -> httpx.Response:
        return http.put(url, headers={"content-range": "bytes */*"})

    def append(self, http: httpx.Client, url: str, first: int, piece: bytes, size: int) -> httpx.Response:
        told = f"bytes {first}-{first + len(piece) - 1}/{size}"
        return http.put(url, content=piece, headers={"content-range": told})

    def progress(self, answer: httpx.Response) -> Progress | None:
        if answer.status_code == 200:
            item: Json = answer.json()
            return Progress(item["sizeBytes"], item["id"])
        if answer.status_code == 308:
            told = answer.headers.get("range")
            return Progress(int(told.removeprefix("bytes=0-")) + 1 if told else 0)
        return None


class Tus:
    """Version 1.0, every piece with its checksum."""

    def ask(self, http: httpx.Client, url: str) -> httpx.Response:
        return http.head(url, headers=TUS)

    def append(self, http: httpx.Client, url: str, first: int, piece: bytes, size: int) -> httpx.Response:
        checksum = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        told = {"upload-offset": str(first), "upload-checksum": f"sha256 {checksum}"}
        return http.patch(url, content=piece, headers=TUS_PIECE | told)

    def progress(self, answer: httpx.Response) -> Progress | None:
        return _from_headers(answer) if answer.status_code in (200, 204) else None


class Draft:
    """The IETF's."""

    def ask(self, http: httpx.Client, url: str) -> httpx.Response:
        return http.head(url, headers=DRAFT)

    def append(self, http: httpx.Client, url: str, first: int, piece: bytes, size: int) -> httpx.Response:
        whole = first + len(piece) == size
        told = {"upload-offset": str(first), "upload-complete": "?1" if whole else "?0"}
        return http.patch(url, content=piece, headers=DRAFT_PIECE | told)

    def progress(self, answer: httpx.Response) -> Progress | None:
        if answer.status_code == 200 and answer.content:
            item: Json = answer.json()
            return Progress(item["sizeBytes"], item["id"])
        return _from_headers(answer) if answer.status_code in (200, 204) else None


DIALECTS: tuple[Put | Tus | Draft, ...] = (Put(), Tus(), Draft())


class Sender:
    """Sends one file in pieces of any size, each request in a dialect of its own, whatever dies meanwhile.

    Args:
        url: Of the upload.   piece_bytes: The most in one request.
    """

    def __init__(self, http: httpx.Client, url: str, data: bytes, chance: random.Random, *, piece_bytes: int) -> None:
        self._http, self._url, self._data, self._chance = http, url, data, chance
        self._piece_bytes = piece_bytes
        self.size_bytes = len(data)
        self.acknowledged = 0
        self.failures = 0

    def send_all(self, *, within_s: float) -> str:
        """The id of the media item it became."""
        ends = time.monotonic() + within_s
        sure = False  # of how far it is
        while True:
            assert time.monotonic() < ends, f"{self._url} is stuck at {self.acknowledged}"
            # With all of it there, only what became of it is left to ask.
            found = self._append() if sure and self.acknowledged < self.size_bytes else self._ask()
            sure = found is not None
            if found is None:
                self.failures += 1
                time.sleep(0.3)
            elif found.media_id is not None:
                assert self.acknowledged == self.size_bytes
                return found.media_id

    def _ask(self) -> Progress | None:
        dialect = self._chance.choice(DIALECTS)
        try:
            return self._told(dialect, dialect.ask(self._http, self._url))
        except httpx.TransportError:
            return None

    def _append(self) -> Progress | None:
        dialect = self._chance.choice(DIALECTS)
        first = self.acknowledged
        piece = self._data[first : first + self._chance.randint(1, self._piece_bytes)]
        try:
            return self._told(dialect, dialect.append(self._http, self._url, first, piece, self.size_bytes))
        except httpx.TransportError:
            return None

    def _told(self, dialect: Put | Tus | Draft, answer: httpx.Response) -> Progress | None:
        found = dialect.progress(answer)
        if found is None:
            fine = answer.status_code >= 500 or answer.status_code in _FOR_NOW
            assert fine, f"{answer.request.method} {self._url}: {answer.status_code} {answer.text}"
            return None
        assert found.offset >= self.acknowledged, f"{self._url} fell from {self.acknowledged} to {found.offset}"
        self.acknowledged = found.offset
        return found


def _from_headers(answer: httpx.Response) -> Progress:
    item = answer.headers.get("content-location")
    return Progress(int(answer.headers["upload-offset"]), item.rpartition("/")[2] if item else None)
