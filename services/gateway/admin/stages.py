"""Operators' commands that other stages answer, asked as the gateway asks for a customer.

Reads MEDIA_GATEWAY_DATABASE_URL_FILE, MEDIA_GATEWAY_INGEST_TARGET and MEDIA_GATEWAY_PUBLISHER_TARGET.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
from google.protobuf.message import Message
from mediaapi.v1 import account_pb2, media_pb2
from mediaapi.v1 import ingest_service_pb2 as ingest
from mediaapi.v1 import publisher_service_pb2 as publisher
from mediaapi.v1.ingest_service_pb2_grpc import IngestServiceStub
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from services.common import context, db, ids, rpc, settings
from services.common.commands import Answer, Cell, Command, CommandError, Row
from services.common.context import CallContext
from services.common.public_json import to_json
from services.gateway.adapters.workspaces import PostgresWorkspaces
from services.gateway.domain.keys import Mode
from services.gateway.settings import Settings, StageSettings

if TYPE_CHECKING:
    from mediaapi.v1.ingest_service_pb2_grpc import IngestServiceAsyncStub
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

PAGE = 100
MEDIA = ("id", "kind", "status", "filename", "contentType", "sizeBytes", "sha256", "url", "createdAt", "expiresAt")
ACCOUNT = ("id", "platform", "displayName", "status", "serviceUrl", "createdAt")


@asynccontextmanager
async def _caller(conf: StageSettings, workspace_id: str, mode: Mode) -> AsyncIterator[None]:
    """Calls inside are that workspace's."""
    async with db.connect(conf.database_url, schema="gateway") as database:
        found = await PostgresWorkspaces(database).get(workspace_id)
    if found is None:
        raise CommandError(f"there is no workspace {workspace_id}")
    with context.use(CallContext(workspace_id, ids.new("req"), plan=found.plan, live=mode is Mode.LIVE)):
        yield


def _conf() -> StageSettings:
    return settings.load(StageSettings, "media_gateway", part_of=Settings)


def _ingest(channel: grpc.aio.Channel) -> "IngestServiceAsyncStub":
    return IngestServiceStub(channel)


def _publisher(channel: grpc.aio.Channel) -> "PublisherServiceAsyncStub":
    return PublisherServiceStub(channel)


async def _show_media(arguments: Namespace) -> Answer:
    conf = _conf()
    async with rpc.channel(conf.ingest_target) as channel, _caller(conf, arguments.workspace, Mode.LIVE):
        found: media_pb2.Media = await _ingest(channel).GetMedia(ingest.GetMediaRequest(id=arguments.media))
    states = Counter(str(it["status"]) for it in map(to_json, found.variants))
    variants = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or None
    error = found.error.code if found.HasField("error") else None
    return Answer([_picked(found, MEDIA) | {"error": error, "variants": variants}], single=True)


async def _delete_media(arguments: Namespace) -> Answer:
    conf = _conf()
    async with rpc.channel(conf.ingest_target) as channel, _caller(conf, arguments.workspace, Mode.LIVE):
        await _ingest(channel).DeleteMedia(ingest.DeleteMediaRequest(id=arguments.media))
    return Answer([{"id": arguments.media, "deleted": True}], single=True)


async def _list_accounts(arguments: Namespace) -> Answer:
    conf, rows = _conf(), list[Row]()
    async with rpc.channel(conf.publisher_target) as channel:
        for mode in Mode:
            async with _caller(conf, arguments.workspace, mode):
                rows += [{"mode": mode.value, **_picked(it, ACCOUNT)} for it in await _accounts(_publisher(channel))]
    return Answer(rows, note="" if rows else "No account is connected.")


async def _accounts(stub: "PublisherServiceAsyncStub") -> list[account_pb2.Account]:
    found: list[account_pb2.Account] = []
    cursor = ""
    while True:
        page: publisher.ListAccountsResponse = await stub.ListAccounts(
            publisher.ListAccountsRequest(limit=PAGE, cursor=cursor)
        )
        found += page.data
        if not page.HasField("next_cursor"):
            return found
        cursor = page.next_cursor


async def _show_usage(arguments: Namespace) -> Answer:
    conf, rows = _conf(), list[Row]()
    async with rpc.channel(conf.publisher_target) as channel:
        for mode in Mode:
            async with _caller(conf, arguments.workspace, mode):
                used = await _publisher(channel).GetUsage(publisher.GetUsageRequest())
                rows.append({"mode": mode.value, **_picked(used, ("period", "postsPublished", "postsIncluded"))})
    return Answer(rows)


def _picked(message: Message, names: tuple[str, ...]) -> dict[str, Cell]:
    found = to_json(message)
    picked: dict[str, Cell] = {}
    for name in names:
        value = found[name]
        assert not isinstance(value, list | dict)
        picked[name] = value
    return picked


def _workspace(parser: ArgumentParser) -> None:
    parser.add_argument("workspace", help="its id, ws_…")


def _item(parser: ArgumentParser) -> None:
    _workspace(parser)
    parser.add_argument("media", help="its id, med_…")


COMMANDS = {
    "media": (
        Command("show", "one item", _item, _show_media),
        Command("delete", "delete an item, as its owner could", _item, _delete_media),
    ),
    "accounts": (Command("list", "a workspace's connected accounts", _workspace, _list_accounts),),
    "usage": (Command("show", "what the month has used of the plan", _workspace, _show_usage),),
}
