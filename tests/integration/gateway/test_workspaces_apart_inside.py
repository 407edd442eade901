"""Below the public API: what stages answer to another workspace, and what their roles see of the tables."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import httpx
import psycopg
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from psycopg import sql

from deploy.local.ports import HOST
from deploy.local.stages import WITH_TABLES
from services.common import context, ids, rpc
from services.common.context import CallContext
from services.common.errors import MediaError
from services.gateway.services import PUBLIC
from tests.integration.gateway.conftest import Service, done

NAMES_ONE = ("id", "media_id")
# What an RPC wants to know beside the id.
BESIDES: Mapping[str, Mapping[str, str]] = {
    "CreateVariant": {"preset": "bluesky.image"},
    "EnsureVariant": {"platform": "bluesky"},
    "PinMedia": {"holder": "post_x"},
    "UnpinMedia": {"holder": "post_x"},
    "UpdateMedia": {"alt_text": "Mine."},
    "UpdatePost": {"text": "Mine."},
    "UpdateWebhookEndpoint": {"description": "Mine."},
}
# The operator's: its id is one to give, not one to find.
GIVES_ID = "ProvisionAccount"
# What is not NOT_FOUND of an unknown id: done twice, it is done; what nobody has told of yet may still come.
OTHERWISE = {"UnpinMedia": None, "EnsureVariant": grpc.StatusCode.FAILED_PRECONDITION}
CALLS = {
    method.name: (stage, method)
    for stage, service in PUBLIC.items()
    for method in service.methods
    if not method.client_streaming
    and method.name != GIVES_ID
    and any(name in method.input_type.fields_by_name for name in NAMES_ONE)
}
# Of no workspace: which schema a stage has, the ids of events it has heard, and how far it has walked over the stores.
SHARED = {"alembic_version", "inbox", "walks"}


@pytest.fixture(scope="module")
def theirs(service: Service) -> Mapping[str, str]:
    """What the other workspace has, by the prefix of its ids."""
    account, item = service.other.account()["id"], service.other.media()["id"]
    made = {
        "posts": {"text": "Theirs.", "targets": [{"accountId": account}], "media": [{"mediaId": item}]},
        "uploads": {"filename": "a.mp4", "sizeBytes": 1000},
        "webhook-endpoints": {"url": "https://1.1.1.1/", "events": ["media.ready"]},
    }
    found = [done(service.other.http.post(f"/v1/{name}", json=body))["id"] for name, body in made.items()]
    key = done(service.other.http.post("/v1/api-keys", json={"name": "Theirs"}))["apiKey"]["id"]
    return {an_id.partition("_")[0]: an_id for an_id in (account, item, key, *found)}


@pytest.fixture
async def channels(service: Service) -> AsyncIterator[Mapping[str, grpc.aio.Channel]]:
    """Straight to each stage, as another stage would call it."""
    found = {stage: grpc.aio.insecure_channel(f"{HOST}:{getattr(service.stack.ports, stage)}") for stage in PUBLIC}
    yield found
    for channel in found.values():
        await channel.close()


async def told(channel: grpc.aio.Channel, method: MethodDescriptor, an_id: str, workspace_id: str) -> Any:
    """What the call answers, or the error it fails with, without the id asked for."""
    name = next(name for name in NAMES_ONE if name in method.input_type.fields_by_name)
    request = GetMessageClass(method.input_type)(**{name: an_id}, **BESIDES.get(method.name, {}))
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )(request, metadata=context.to_metadata(CallContext(workspace_id, "req_same")), timeout=20)
    try:
        return [message async for message in call] if method.server_streaming else await call
    except grpc.aio.AioRpcError as exc:
        error: MediaError = rpc.from_rpc(exc)
        return exc.code(), error.code, error.message.replace(an_id, "<id>"), list(error.details), error.violations


def status(found: Any) -> grpc.StatusCode | None:
    """None where there was no error."""
    return found[0] if isinstance(found, tuple) else None


@pytest.mark.parametrize("name", [pytest.param(name, id=f"S2-{name}") for name in CALLS])
async def test_a_stage_knows_no_id_of_another_workspace(
    service: Service, theirs: Mapping[str, str], channels: Mapping[str, grpc.aio.Channel], name: str
) -> None:
    stage, method = CALLS[name]
    one = service.one.workspace_id
    prefixes = {"KeyService": "key", "IngestService": "med", "TranscoderService": "med", "PublisherService": "post"}
    words = {"Upload": "upl", "Account": "acc", "Webhook": "whk"}
    prefix = next((short for word, short in words.items() if word in name), prefixes[method.containing_service.name])
    unknown = await told(channels[stage], method, ids.new(prefix), one)
    foreign = await told(channels[stage], method, theirs[prefix], one)
    nobody = await told(channels[stage], method, theirs[prefix], "")
    assert foreign == unknown
    assert status(unknown) == OTHERWISE.get(name, grpc.StatusCode.NOT_FOUND)
    assert status(nobody) is grpc.StatusCode.UNAUTHENTICATED


async def test_what_was_asked_for_inside_is_untouched(service: Service, theirs: Mapping[str, str]) -> None:
    shown: dict[str, httpx.Response] = {
        path: service.other.http.get(f"/v1/{path}/{theirs[prefix]}")
        for path, prefix in (("accounts", "acc"), ("media", "med"), ("posts", "post"), ("uploads", "upl"))
    }
    assert {answer.status_code for answer in shown.values()} == {200}
    assert shown["media"].json()["altText"] is None
    assert shown["posts"].json()["text"] == "Theirs."


def url(service: Service, stage: str) -> str:
    """The database as that stage sees it."""
    password = service.stack.state.secret(f"postgres-{stage}")
    return service.stack.postgres.url(user=f"mediaapi_{stage}", password=password)


def tables(service: Service, stage: str) -> list[str]:
    """All of a stage's schema, as the database's own catalogue has them."""
    with psycopg.connect(service.stack.postgres.url()) as conn:
        rows = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [stage]).fetchall()
    return [str(name) for (name,) in rows]


def count(url: str, stage: str, table: str, workspace_id: str | None = None) -> int:
    with psycopg.connect(url) as conn:
        if workspace_id is not None:
            conn.execute("SELECT set_config('app.workspace_id', %s, true)", [workspace_id])
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(stage, table))
        (found,) = conn.execute(query).fetchone() or (0,)
    return int(found)


@pytest.mark.parametrize("stage", [pytest.param(stage, id=f"S3-{stage}") for stage in WITH_TABLES])
@pytest.mark.usefixtures("theirs")
def test_without_a_workspace_a_stages_role_sees_no_row_of_any_table(service: Service, stage: str) -> None:
    found = tables(service, stage)
    assert len(found) > len(SHARED & set(found))
    role, everything = url(service, stage), service.stack.postgres.url()
    filled = 0
    for table in set(found) - SHARED:
        filled += count(everything, stage, table) > 0
        assert count(role, stage, table) == 0, table
        assert count(role, stage, table, "") == 0, table
        assert count(role, stage, table, ids.new("ws")) == 0, table
    assert filled >= 2


@pytest.mark.parametrize("stage", [pytest.param(stage, id=f"S3-{stage}") for stage in WITH_TABLES])
def test_a_stages_role_owns_nothing_may_not_pass_policies_and_sees_no_other_stage(service: Service, stage: str) -> None:
    with psycopg.connect(url(service, stage)) as conn:
        assert conn.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False, False, False)
        assert conn.execute("SELECT tablename FROM pg_tables WHERE tableowner = current_user").fetchall() == []
    for other in set(WITH_TABLES) - {stage}:
        for table in tables(service, other):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                count(url(service, stage), other, table)
