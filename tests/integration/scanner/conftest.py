"""The scanner on the real object store and the real clamd."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from deploy.local.clamd import Clamd
from deploy.local.s3 import QUARANTINE, S3
from services.common import blobs
from services.common.blobs import Blobs
from services.scanner.adapters.clamd import Clamd as Engine
from services.scanner.adapters.metrics import Metrics
from services.scanner.app import Scanner


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


def scanner_on(store: Blobs, socket: object, **more: float) -> Scanner:
    """A scanner over that clamd."""
    return Scanner(
        store,
        Engine(str(socket)),
        Metrics(CollectorRegistry()),
        now=lambda: datetime.now(UTC),
        max_scans=4,
        signatures_max_age_s=more.get("max_age_s", 0.0),
    )


@pytest.fixture
def scanner(readable: Blobs, clamd: Clamd) -> Scanner:
    """On clamd as it is shipped."""
    return scanner_on(readable, clamd.socket)
