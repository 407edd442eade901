"""The scanner on the real object store and the real clamd."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.clamd import Clamd
from deploy.local.s3 import QUARANTINE, S3
from deploy.local.state import State
from services.common import blobs
from services.common.blobs import Blobs
from services.common.errors import MediaError
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.adapters.metrics import Metrics
from services.scanner.app import Report, Scanner

PART = 8 << 20

# Stores bytes as a sealed object and gives its key, etag and size.
Put = Callable[[bytes], Awaitable[tuple[str, str, int]]]


@pytest.fixture(scope="session")
async def quarantine(s3: S3) -> AsyncIterator[Blobs]:
    """With the scanner's own rights would do for reading; tests also put things there."""
    pair = s3.credentials("ingest")
    async with blobs.connect(s3.endpoint, s3.region, pair.access_key, pair.secret_key, QUARANTINE) as store:
        yield store


@pytest.fixture(scope="session")
async def readable(s3: S3) -> AsyncIterator[Blobs]:
    """The same bucket with no more rights than the scanner has."""
    pair = s3.credentials("scanner")
    async with blobs.connect(s3.endpoint, s3.region, pair.access_key, pair.secret_key, QUARANTINE) as store:
        yield store


def scanner_on(store: Blobs, address: Path | tuple[str, int], **more: float) -> Scanner:
    """A scanner over that clamd."""
    return Scanner(
        store,
        Engine(str(address) if isinstance(address, Path) else address),
        Metrics(CollectorRegistry()),
        now=lambda: datetime.now(UTC),
        max_scans=4,
        signatures_max_age_s=more.get("max_age_s", 0.0),
    )


@pytest.fixture
def scanner(readable: Blobs, clamd: Clamd) -> Scanner:
    """On clamd as it is shipped."""
    return scanner_on(readable, clamd.socket)


@pytest.fixture
async def stored_keys(quarantine: Blobs) -> AsyncIterator[list[str]]:
    """Objects that go at the end of the test."""
    keys: list[str] = []
    yield keys
    for key in keys:
        await quarantine.delete(key)


@pytest.fixture
def put(quarantine: Blobs, stored_keys: list[str]) -> Put:
    """See Put."""

    async def put(data: bytes) -> tuple[str, str, int]:
        key = f"scan/{os.urandom(8).hex()}"
        stored_keys.append(key)
        if len(data) <= PART:
            info = await quarantine.put(key, data, "application/octet-stream")
            return key, info.etag, info.size
        upload = await quarantine.start_multipart(key, "application/octet-stream")
        parts = []
        for number, at in enumerate(range(0, len(data), PART), 1):
            parts.append((number, await quarantine.put_part(key, upload, number, data[at : at + PART])))
        info = await quarantine.complete(key, upload, parts)
        return key, info.etag, info.size

    return put


class OtherClamd(Clamd):
    """clamd with some options changed, or other signatures."""

    def __init__(self, state: State, options: dict[str, str], *, signatures: tuple[str, ...] | None = None) -> None:
        super().__init__(state)
        self._options = options
        self._signatures = signatures

    def prepare(self) -> None:
        super().prepare()
        lines = [line for line in self._config.read_text().splitlines() if line.split(" ")[0] not in self._options]
        lines += [f"{name} {value}" for name, value in self._options.items()]
        self._config.write_text("\n".join(lines) + "\n")
        if self._signatures is not None:
            for path in self._database.iterdir():
                if path.name not in self._signatures:
                    path.unlink()


@contextmanager
def other_clamd(folder: Path, *, signatures: tuple[str, ...] | None = None, **options: str) -> Iterator[OtherClamd]:
    """Runs one for the length of a test."""
    daemon = OtherClamd(State(folder), options, signatures=signatures)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


async def no_verdict(scanning: Awaitable[Report]) -> MediaError:
    """Why there is none."""
    with pytest.raises(MediaError) as caught:
        await scanning
    return caught.value
