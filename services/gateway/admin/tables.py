"""Operators' commands on the gateway's own tables: workspaces and their API keys.

Reads MEDIA_GATEWAY_DATABASE_URL_FILE and MEDIA_GATEWAY_KEY_PEPPER_FILE. A key is shown once, and to nothing else.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from services.common import clock, db, ids, settings
from services.common.commands import Answer, Command, CommandError, Row, at_least_one
from services.gateway.adapters.workspaces import PostgresWorkspaces
from services.gateway.app import KeyRing
from services.gateway.assembly import key_ring
from services.gateway.domain.keys import MAX_NAME_CHARACTERS, PLANS, ApiKey, Mode, Workspace
from services.gateway.ports import Workspaces
from services.gateway.settings import AdminSettings, Settings

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Tables:
    """What the commands work on."""

    workspaces: Workspaces
    ring: KeyRing

    async def workspace(self, workspace_id: str) -> Workspace:
        """Raises CommandError where there is none."""
        found = await self.workspaces.get(workspace_id)
        if found is None:
            raise CommandError(f"there is no workspace {workspace_id}")
        return found


@asynccontextmanager
async def _tables() -> AsyncIterator[Tables]:
    conf = settings.load(AdminSettings, "media_gateway", part_of=Settings)
    async with db.connect(conf.database_url, schema="gateway") as database:
        _, ring = key_ring(database, conf.key_pepper)
        yield Tables(PostgresWorkspaces(database), ring)


async def _create_workspace(arguments: Namespace) -> Answer:
    wanted = Workspace(arguments.id or ids.new("ws"), _name(arguments.name), arguments.plan, clock.utc_now())
    async with _tables() as tables:
        if not await tables.workspaces.add(wanted):
            there = await tables.workspace(wanted.workspace_id)
            if (there.name, there.plan) != (wanted.name, wanted.plan):
                raise CommandError(f"{there.workspace_id} is {there.name!r} on plan {there.plan} already")
            wanted = there
    return Answer([_workspace(wanted)], single=True)


async def _list_workspaces(arguments: Namespace) -> Answer:
    async with _tables() as tables:
        found = await tables.workspaces.page(limit=arguments.limit + 1, before=arguments.before)
    shown = found[: arguments.limit]
    note = f"There are more: --before {shown[-1].workspace_id}" if len(found) > len(shown) else ""
    return Answer([_workspace(it) for it in shown], note=note)


async def _show_workspace(arguments: Namespace) -> Answer:
    async with _tables() as tables:
        return Answer([_workspace(await tables.workspace(arguments.workspace))], single=True)


async def _set_plan(arguments: Namespace) -> Answer:
    return await _changed(arguments.workspace, plan=arguments.plan)


async def _suspend(arguments: Namespace) -> Answer:
    return await _changed(arguments.workspace, suspended_at=clock.utc_now())


async def _resume(arguments: Namespace) -> Answer:
    return await _changed(arguments.workspace, suspended_at=None)


async def _changed(workspace_id: str, **change: object) -> Answer:
    async with _tables() as tables:
        changed = replace(await tables.workspace(workspace_id), **change)  # type: ignore[arg-type]
        await tables.workspaces.keep(changed)
    return Answer([_workspace(changed)], single=True, note="Gateways that have just seen a key take 2 s to notice.")


async def _create_key(arguments: Namespace) -> Answer:
    async with _tables() as tables:
        await tables.workspace(arguments.workspace)
        key, text = await tables.ring.issue(
            arguments.workspace, name=_name(arguments.name), mode=Mode(arguments.mode), scopes=tuple(arguments.scope)
        )
    return Answer([{**_key(key), "key": text}], single=True, note="This key is shown once: keep it now.")


async def _list_keys(arguments: Namespace) -> Answer:
    async with _tables() as tables:
        await tables.workspace(arguments.workspace)
        page = await tables.ring.list(arguments.workspace, live=True, limit=arguments.limit, before=arguments.before)
    note = f"There are more: --before {page.next_before}" if page.next_before else ""
    return Answer([_key(key) for key in page.keys], note=note)


async def _revoke_key(arguments: Namespace) -> Answer:
    async with _tables() as tables:
        await tables.ring.revoke(arguments.workspace, arguments.key, live=True)
    return Answer([{"id": arguments.key, "revoked": True}], single=True)


def _name(given: str) -> str:
    if not 1 <= len(given) <= MAX_NAME_CHARACTERS:
        raise CommandError(f"a name has 1 to {MAX_NAME_CHARACTERS} characters")
    return given


def _workspace(found: Workspace) -> Row:
    return {
        "id": found.workspace_id,
        "name": found.name,
        "plan": found.plan,
        "createdAt": _moment(found.created_at),
        "suspendedAt": _moment(found.suspended_at),
    }


def _key(found: ApiKey) -> Row:
    return {
        "id": found.key_id,
        "name": found.name,
        "mode": found.mode.value,
        "scopes": ",".join(found.scopes) or "all",
        "hint": f"…{found.hint}",
        "createdAt": _moment(found.created_at),
        "lastUsedAt": _moment(found.last_used_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _which(parser: ArgumentParser) -> None:
    parser.add_argument("workspace", help="its id, ws_…")


def _paged(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=at_least_one, default=SHOWN, help=f"rows shown ({SHOWN})")
    parser.add_argument("--before", help="the id that the page before ended with")


def _of_create_workspace(parser: ArgumentParser) -> None:
    parser.add_argument("--id", help="ws_ and a ULID; made up where it is not given")
    parser.add_argument("--name", required=True)
    parser.add_argument("--plan", choices=PLANS, default=PLANS[0])


def _of_set_plan(parser: ArgumentParser) -> None:
    _which(parser)
    parser.add_argument("plan", choices=PLANS)


def _of_create_key(parser: ArgumentParser) -> None:
    _which(parser)
    parser.add_argument("--mode", choices=[mode.value for mode in Mode], required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--scope", action="append", default=[], help="repeatable; none: every scope")


def _of_list_keys(parser: ArgumentParser) -> None:
    _which(parser)
    _paged(parser)


def _of_revoke_key(parser: ArgumentParser) -> None:
    _which(parser)
    parser.add_argument("key", help="its id, key_…")


COMMANDS = {
    "workspaces": (
        Command("create", "make a workspace", _of_create_workspace, _create_workspace),
        Command("list", "all of them, newest first", _paged, _list_workspaces),
        Command("show", "one of them", _which, _show_workspace),
        Command("set-plan", "put it on another plan", _of_set_plan, _set_plan),
        Command("suspend", "take its keys no more; nothing is deleted", _which, _suspend),
        Command("resume", "take its keys again", _which, _resume),
    ),
    "keys": (
        Command("create", "make an API key and show it, once", _of_create_key, _create_key),
        Command("list", "a workspace's keys, newest first", _of_list_keys, _list_keys),
        Command("revoke", "end a key", _of_revoke_key, _revoke_key),
    ),
}
