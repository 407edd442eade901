"""Operators' commands on what ingest stores.

Reads MEDIA_INGEST_DATABASE_URL_FILE, MEDIA_INGEST_S3_… and the names of the buckets.
"""

from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from services.common import blobs, clock, commands, db, settings
from services.common.commands import Answer, Command, Row, no_arguments
from services.ingest.adapters.metrics import Metrics
from services.ingest.adapters.postgres.media import SCHEMA
from services.ingest.adapters.postgres.walks import PostgresWalks
from services.ingest.app.reconciling import Page, Reconciling
from services.ingest.domain.reconciliation import Place
from services.ingest.settings import AdminSettings, Settings


@asynccontextmanager
async def _reconciling() -> AsyncIterator[Reconciling]:
    conf = settings.load(AdminSettings, "media_ingest", part_of=Settings)
    store = (conf.s3_endpoint, conf.s3_region, conf.s3_access_key, conf.s3_secret_key)
    async with AsyncExitStack() as opened:
        database = await opened.enter_async_context(db.connect(conf.database_url, schema=SCHEMA))
        quarantine = await opened.enter_async_context(blobs.connect(*store, conf.quarantine_bucket))
        active = await opened.enter_async_context(blobs.connect(*store, conf.active_bucket))
        # Looking changes nothing, so there is nothing to count.
        meter = Metrics(CollectorRegistry())
        yield Reconciling(PostgresWalks(database), quarantine, active, meter, now=clock.utc_now)


async def _dry_run(_: Namespace) -> Answer:
    rows: list[Row] = []
    async with _reconciling() as reconciling:
        for place in Place:
            after, pages = "", 0
            while pages == 0 or after:
                page = await reconciling.look(place, after)
                rows += _findings(place, page)
                after, pages = page.next, pages + 1
    note = "Orphans are removed by ingest's own walks; what is missing or foreign is left to you." if rows else ""
    return Answer(rows, note=note or "Every object has its row, and every row its object.", exit_code=_exit(rows))


def _findings(place: Place, page: Page) -> Iterator[Row]:
    for orphan in page.orphans:
        yield {"place": place.value, "finding": "orphan", "key": orphan.key, "mediaId": None}
    for missing in page.missing:
        yield {"place": place.value, "finding": "missing", "key": missing.key, "mediaId": missing.ref.media_id}
    for key in page.foreign:
        yield {"place": place.value, "finding": "foreign", "key": key, "mediaId": None}


def _exit(rows: list[Row]) -> int:
    return commands.FOUND if rows else commands.DONE


COMMANDS = {
    "reconcile": (
        Command("dry-run", "list what is stored without a row, and rows without their object", no_arguments, _dry_run),
    )
}
