"""The use cases, put together once: for the stage itself and for tests on real stores."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from services.common import waiting
from services.common.db import Database
from services.ingest.adapters.postgres import holdings
from services.ingest.adapters.postgres.chores import PostgresChores
from services.ingest.adapters.postgres.media import PostgresMedia
from services.ingest.adapters.postgres.uploads import PostgresUploads
from services.ingest.adapters.postgres.waiting import steps
from services.ingest.adapters.postgres.walks import PostgresWalks
from services.ingest.app.admitting import Door, UploadLimits
from services.ingest.app.cleaning import Cleaning
from services.ingest.app.describing import Describing
from services.ingest.app.importing import Importing
from services.ingest.app.judging import Judging
from services.ingest.app.prompting import Prompt
from services.ingest.app.reading import Reading
from services.ingest.app.reconciling import Reconciling
from services.ingest.app.removing import Removing
from services.ingest.app.rendering import Rendering
from services.ingest.app.resuming import Resuming
from services.ingest.app.sealing import Sealing
from services.ingest.app.sweeping import Sweeping
from services.ingest.app.upload_sweeping import UploadSweeping
from services.ingest.app.uploading import Uploading
from services.ingest.ports import ListedStore, Meter, Remote, Scanner, SecondOpinion, Wakeups


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside."""

    database: Database
    wakeups: Wakeups
    quarantine: ListedStore
    active: ListedStore
    quarantine_bucket: str
    scanner: Scanner
    opinion: SecondOpinion
    remote: Remote
    meter: Meter
    now: Callable[[], datetime]
    new_id: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """The use cases."""

    uploading: Uploading
    importing: Importing
    resuming: Resuming
    judging: Judging
    prompt: Prompt
    rendering: Rendering
    reading: Reading
    removing: Removing
    describing: Describing
    sweeping: Sweeping
    upload_sweeping: UploadSweeping
    reconciling: Reconciling
    waiting: waiting.Steps
    holdings: holdings.Holdings

    @classmethod
    def assemble(cls, world: World, limits: UploadLimits, *, prompt_verdicts: int) -> "Ingest":
        """Wires them to that world. prompt_verdicts: see Prompt."""
        table, chores = PostgresMedia(world.database), PostgresChores(world.database)
        cleaning = Cleaning(table, chores, world.quarantine, world.active)
        judging = Judging(table, world.scanner, world.active, cleaning, quarantine_bucket=world.quarantine_bucket)
        removing, describing = Removing(table, cleaning), Describing(table)
        door, uploads = Door(table, limits), PostgresUploads(world.database)
        sealing = Sealing(uploads, world.quarantine, now=world.now, new_id=world.new_id)
        resuming = Resuming(
            uploads,
            world.quarantine,
            world.opinion,
            world.wakeups,
            sealing,
            door,
            now=world.now,
            new_id=world.new_id,
        )
        prompt = Prompt(judging, at_once=prompt_verdicts)
        uploading = Uploading(
            table, world.quarantine, world.opinion, now=world.now, new_id=world.new_id, door=door, prompt=prompt
        )
        return cls(
            uploading=uploading,
            importing=Importing(uploading, world.remote),
            resuming=resuming,
            judging=judging,
            prompt=prompt,
            rendering=Rendering(table, world.meter),
            reading=Reading(table, world.active, world.wakeups, now=world.now),
            removing=removing,
            describing=describing,
            sweeping=Sweeping(table, chores, world.quarantine, judging, removing, describing, cleaning),
            upload_sweeping=UploadSweeping(uploads, uploads, world.quarantine, resuming),
            reconciling=Reconciling(
                PostgresWalks(world.database), world.quarantine, world.active, world.meter, now=world.now
            ),
            waiting=steps(world.database),
            holdings=holdings.Holdings(world.database),
        )

    def chores(self) -> tuple[tuple[str, float, Callable[[], Awaitable[None]]], ...]:
        """What is done again and again: name, seconds between, one round."""
        return (
            ("scans", 1.0, self.sweeping.scans),
            ("litter", 1.0, self.sweeping.litter),
            ("renditions", 5.0, self.sweeping.renditions),
            ("uploads", 15.0, self.sweeping.uploads),
            ("unsealed", 5.0, self.upload_sweeping.unsealed),
            ("ended_uploads", 15.0, self.upload_sweeping.ended),
            ("expiries", 5.0, self.sweeping.expiries),
            ("reconciliation", 5.0, self.reconciling.round),
            ("waiting", waiting.LOOK_EVERY_S, self.waiting.look),
            ("holdings", holdings.LOOK_EVERY_S, self.holdings.look),
        )
