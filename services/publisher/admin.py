"""Operators' commands on the publisher: the keys credentials are sealed under.

Reads MEDIA_PUBLISHER_DATABASE_URL_FILE and MEDIA_PUBLISHER_KEK_FILE.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.common import commands, db, settings
from services.common.commands import Answer, Command, Row, at_least_one
from services.publisher.adapters.postgres.keys import PostgresKeys
from services.publisher.adapters.postgres.posts import SCHEMA
from services.publisher.adapters.rotation import BATCH, Rotation, Use
from services.publisher.adapters.sealing import MasterKeys
from services.publisher.settings import AdminSettings, Settings


@asynccontextmanager
async def _rotation() -> AsyncIterator[Rotation]:
    conf = settings.load(AdminSettings, "media_publisher", part_of=Settings)
    async with db.connect(conf.database_url, schema=SCHEMA) as database:
        yield Rotation(MasterKeys(conf.kek), PostgresKeys(database))


async def _status(arguments: Namespace) -> Answer:
    async with _rotation() as rotation:
        return _answer(await rotation.uses(), strict=arguments.check)


async def _rotate(arguments: Namespace) -> Answer:
    async with _rotation() as rotation:
        await rotation.run(arguments.batch)
        return _answer(await rotation.uses(), strict=True)


def _answer(uses: Sequence[Use], *, strict: bool) -> Answer:
    """strict: a key that waits for its successor is something found, not only a missing one."""
    newest, *others = uses
    missing = [use for use in others if not use.held]
    waiting = [use for use in others if use.data_keys]
    note = f"Every data key is wrapped with {newest.kek_id}: the others may be removed."
    if waiting:
        note = f"{sum(use.data_keys for use in waiting)} data keys are not wrapped with {newest.kek_id} yet."
    if missing:
        note = f"Nothing opens what is sealed under {', '.join(use.kek_id for use in missing)}: that key is not given."
    found = bool(missing or (strict and waiting))
    rows: list[Row] = [{"key": use.kek_id, "role": _role(use, newest), "dataKeys": use.data_keys} for use in uses]
    return Answer(rows, note=note, exit_code=commands.FOUND if found else commands.DONE)


def _role(use: Use, newest: Use) -> str:
    if not use.held:
        return "missing"
    return "wraps and opens" if use == newest else "opens"


def _of_status(parser: ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="end with 4 while an older key is in use")


def _of_rotate(parser: ArgumentParser) -> None:
    parser.add_argument("--batch", type=at_least_one, default=BATCH, help=f"data keys read at a time ({BATCH})")


COMMANDS = {
    "sealing": (
        Command("status", "which keys there are, and what is sealed under them", _of_status, _status),
        Command("rotate", "bring everything under the newest key, while the publisher goes on", _of_rotate, _rotate),
    )
}
