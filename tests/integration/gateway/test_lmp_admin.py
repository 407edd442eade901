"""The operators' command against all stages as processes: what it does, what it tells, and how it ends."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from mediaapi.v1 import events_pb2
from nats.js.api import DeliverPolicy

from deploy.local.daemon import base_environment
from deploy.local.nats import OPERATOR
from deploy.local.s3 import ACTIVE
from deploy.local.stages import environment
from deploy.local.state import REPOSITORY
from services.common import events, ids
from tests.integration.gateway.conftest import Service, refused

GATEWAY = ("MEDIA_GATEWAY_DATABASE_URL_FILE", "MEDIA_GATEWAY_KEY_PEPPER_FILE")


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def admin(service: Service) -> Callable[..., Told]:
    """lmp-admin, where all settings are: as in each stage's own container."""
    wiring = service.stack.wiring
    env = dict(base_environment())
    for stage in ("gateway", "ingest", "publisher"):
        env |= environment(stage, wiring)
    nats_url = wiring.state.write_secret("admin.nats-url", wiring.nats.url(OPERATOR))
    env["MEDIA_ADMIN_NATS_URL_FILE"] = str(nats_url)

    def run(*arguments: str, without: tuple[str, ...] = ()) -> Told:
        given = {name: value for name, value in env.items() if name not in without}
        command = [sys.executable, "-m", "services.admin.cli", *arguments]
        ended = subprocess.run(
            command, env=given, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
        )
        return Told(ended.returncode, ended.stdout, ended.stderr)

    return run


def test_a_workspace_is_made_found_and_put_on_another_plan(admin: Callable[..., Told]) -> None:
    made = admin("workspaces", "create", "--name", "Acme", "--plan", "pro", "--json").json
    assert (made["name"], made["plan"], made["suspendedAt"]) == ("Acme", "pro", None)
    assert made["id"].startswith("ws_")
    assert admin("workspaces", "create", "--id", made["id"], "--name", "Acme", "--plan", "pro", "--json").json == made
    again = admin("workspaces", "create", "--id", made["id"], "--name", "Else")
    assert (again.code, again.out) == (1, "")
    assert f"{made['id']} is 'Acme' on plan pro already" in again.err
    assert admin("workspaces", "set-plan", made["id"], "business", "--json").json["plan"] == "business"
    assert admin("workspaces", "show", made["id"], "--json").json == {**made, "plan": "business"}
    assert made["id"] in [row["id"] for row in admin("workspaces", "list", "--limit", "1000", "--json").json]
    newest = admin("workspaces", "list", "--limit", "1")
    assert newest.out.splitlines()[0].split() == ["id", "name", "plan", "createdAt", "suspendedAt"]
    assert "There are more: --before ws_" in newest.out


def test_a_key_is_shown_once_and_works_until_it_is_revoked(service: Service, admin: Callable[..., Told]) -> None:
    workspace_id = service.one.workspace_id
    made = admin(
        "keys", "create", workspace_id, "--mode", "test", "--name", "laptop", "--scope", "media:read", "--json"
    )
    key = made.json["key"]
    signed = {"authorization": f"Bearer {key}"}
    assert service.one.http.get("/v1/media", headers=signed).status_code == 200
    assert refused(service.one.http.get("/v1/posts", headers=signed)) == (403, "forbidden")
    listed = admin("keys", "list", workspace_id, "--json")
    assert [row["scopes"] for row in listed.json if row["id"] == made.json["id"]] == ["media:read"]
    assert key not in listed.out
    assert admin("keys", "revoke", workspace_id, made.json["id"]).code == 0
    again = admin("keys", "revoke", workspace_id, made.json["id"], "--json")
    assert (again.code, json.loads(again.err)["error"]["code"]) == (1, "key_not_found")
    assert "shown once" in admin("keys", "create", workspace_id, "--mode", "test", "--name", "x").out


async def test_a_suspended_workspace_is_told_so_and_comes_back(service: Service, admin: Callable[..., Told]) -> None:
    with service.customer() as customer:
        assert customer.http.get("/v1/media").status_code == 200
        assert admin("workspaces", "suspend", customer.workspace_id, "--json").json["suspendedAt"]
        await _until(lambda: refused_or_none(customer.http.get("/v1/media")) == (403, "workspace_suspended"))
        unknown = {"authorization": "Bearer lmp_test_unknown"}
        assert refused(customer.http.get("/v1/media", headers=unknown)) == (401, "unauthorized")
        assert admin("workspaces", "resume", customer.workspace_id, "--json").json["suspendedAt"] is None
        await _until(lambda: customer.http.get("/v1/media").status_code == 200)


def test_media_accounts_and_usage_are_told_for_one_workspace(service: Service, admin: Callable[..., Told]) -> None:
    with service.customer() as customer:
        item, account = customer.media(), customer.account()
        shown = admin("media", "show", customer.workspace_id, item["id"], "--json").json
        assert (shown["status"], shown["sizeBytes"]) == ("ready", item["sizeBytes"])
        assert "ready" in shown["variants"]
        stranger = admin("media", "show", service.other.workspace_id, item["id"], "--json")
        assert (stranger.code, json.loads(stranger.err)["error"]["code"]) == (1, "media_not_found")
        listed = admin("accounts", "list", customer.workspace_id, "--json")
        assert [(row["id"], row["mode"], row["status"]) for row in listed.json] == [(account["id"], "test", "active")]
        assert "sandbox-password" not in listed.out
        usage = {row["mode"]: row for row in admin("usage", "show", customer.workspace_id, "--json").json}
        assert (usage["live"]["postsPublished"], usage["live"]["postsIncluded"]) == (0, 1_000)
        assert admin("media", "delete", customer.workspace_id, item["id"]).code == 0
        assert customer.http.get(f"/v1/media/{item['id']}").status_code == 404


def test_what_a_row_misses_is_found_and_what_is_young_is_not(service: Service, admin: Callable[..., Told]) -> None:
    store, item = service.stack.s3.client(), service.one.media()
    young = f"cdn/somebody/{ids.new('obj')}"  # it may belong to a request under way
    store.put_object(Bucket=ACTIVE, Key=young, Body=b"put by hand")
    assert admin("reconcile", "dry-run", "--json").json == []
    [source] = store.list_objects_v2(Bucket=ACTIVE, Prefix=f"sources/{item['id']}/")["Contents"]
    store.delete_object(Bucket=ACTIVE, Key=source["Key"])
    found = admin("reconcile", "dry-run", "--json")
    assert (found.code, [(row["finding"], row["mediaId"]) for row in found.json]) == (4, [("missing", item["id"])])
    assert service.one.http.delete(f"/v1/media/{item['id']}").status_code == 204
    store.delete_object(Bucket=ACTIVE, Key=young)
    assert admin("reconcile", "dry-run").code == 0


async def test_an_event_nobody_could_handle_is_listed_told_again_and_gone(
    service: Service, admin: Callable[..., Told]
) -> None:
    told = events.event(
        events_pb2.PostQueued(target_index=9), workspace_id=ids.new("ws"), subject_id=ids.new("pst"), version=1
    )
    async with events.connect(service.stack.wiring.nats.url()) as bus:
        await bus.declare()
        for body in (told.SerializeToString(), b"\xff no event"):
            await bus.publish(f"{events.DEAD_ROOT}.publisher_queue", body, message_id=ids.new("test"))
        rows = admin("dead-letters", "list", "--consumer", "publisher_queue", "--json").json
        assert [row["event"] for row in rows] == ["post_queued", None]
        assert rows[0]["eventId"] == told.id
        shown = admin("dead-letters", "show", str(rows[0]["sequence"]), "--json").json
        assert shown.items() >= rows[0].items()
        assert (json.loads(shown["payload"]), shown["sizeBytes"]) == ({"targetIndex": 9}, told.ByteSize())
        unread = admin("dead-letters", "show", str(rows[1]["sequence"]), "--json").json
        assert (unread["event"], unread["payload"], unread["sizeBytes"]) == (None, None, 10)
        broken = admin("dead-letters", "retry", str(rows[1]["sequence"]))
        assert (broken.code, "not an event" in broken.err) == (1, True)
        heard = await bus.jetstream.subscribe(events.subject(told), deliver_policy=DeliverPolicy.NEW)
        assert [row["eventId"] for row in admin("dead-letters", "retry", "--all", "--json").json] == [told.id]
        assert (await heard.next_msg(timeout=60)).data == told.SerializeToString()
        assert admin("dead-letters", "drop", str(rows[1]["sequence"])).code == 0
    assert admin("dead-letters", "list", "--json").json == []
    assert admin("dead-letters", "drop", str(rows[1]["sequence"])).code == 1


def test_what_is_missing_is_named_and_a_wrong_line_is_refused(service: Service, admin: Callable[..., Told]) -> None:
    bare = admin("workspaces", "list", "--json", without=GATEWAY)
    assert (bare.code, bare.out) == (3, "")
    error = json.loads(bare.err)["error"]
    assert error["code"] == "settings_incomplete"
    assert all(name in error["message"] for name in GATEWAY)
    assert admin("nothing").code == 2
    assert admin("workspaces", "set-plan", service.one.workspace_id, "gold").code == 2
    assert admin("keys", "list", "ws_nobody").code == 1
    assert admin("sealing", "status", "--check").code == 0


async def _until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  a gateway remembers keys for two seconds
            await asyncio.sleep(0.2)


def refused_or_none(answer: Any) -> tuple[int, str] | None:
    return refused(answer) if answer.is_error else None
