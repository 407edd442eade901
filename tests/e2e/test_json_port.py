"""The JSON port before the real stages, beside the gateway."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.local.certificates import Authority
from deploy.local.json_port import Door, JsonPort
from deploy.local.ports import Ports
from deploy.local.stack import Stack
from tests import media
from tests.contract.json.differences import row
from tests.contract.json.sides import CALLER, NAME, Case, Seen, context
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy


@pytest.fixture(scope="module")
def port(stack: Stack) -> Iterator[httpx.Client]:
    """A caller's client; it has yet to say for whom it calls."""
    ours, authority = Ports.free(), Authority("ours")
    ports = replace(stack.ports, edge=ours.edge, envoy_admin=ours.envoy_admin, envoy_status=ours.envoy_status)
    server, caller = (stack.state.folder(f"json-port-{name}") for name in ("server", "caller"))
    authority.furnish(server, NAME)
    authority.furnish(caller, CALLER)
    envoy = JsonPort(stack.state, ports=ports, door=Door(certificates=server, callers=re.escape(CALLER)))
    try:
        envoy.start()
        url = f"https://{NAME}:{ports.edge}"
        with httpx.Client(base_url=url, verify=context(caller), timeout=60) as http:
            yield http
    finally:
        envoy.stop()


def speaking(tenancy: Tenancy) -> dict[str, str]:
    return {"x-workspace-id": tenancy.workspace_id, "x-mode": "test", "x-plan": "business"}


def test_what_came_by_the_gateway_is_the_same_at_the_port(port: httpx.Client, tenancy: Tenancy) -> None:
    item = tenancy.client.stored(media.jpeg(640, 480))["id"]
    for path in (f"/v1/media/{item}", "/v1/media?limit=5&kind=image", "/v1/platforms", "/v1/usage"):
        told = [tenancy.client.http.get(path), port.get(path, headers=speaking(tenancy))]
        # To the microsecond at the port, as docs/json-transcoding.md says.
        shown = [json.loads(re.sub(r"(\.\d{3})\d*Z\"", r'\1Z"', it.text)) for it in told]
        gateway, other = (Seen(it.status_code, None, (), one, None) for it, one in zip(told, shown, strict=True))
        assert (gateway.status, row(Case(path, "GET", path), gateway, other)) == (200, None)


def test_nothing_of_another_workspace_is_there(port: httpx.Client, stack: Stack, tenancy: Tenancy) -> None:
    item = tenancy.client.stored(media.jpeg(640, 480))["id"]
    stranger = speaking(Tenancy(stack))
    for method in ("GET", "DELETE"):
        answer = port.request(method, f"/v1/media/{item}", headers=stranger)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (404, "media_not_found")
    assert port.get("/v1/media", headers=stranger).json()["data"] == []
    assert tenancy.client.http.get(f"/v1/media/{item}").status_code == 200


def scheduled(port: httpx.Client, tenancy: Tenancy, key: str) -> dict[str, Any]:
    wanted = {
        "text": "first",
        "targets": [target for target in tenancy.targets if target["platform"] == "bluesky"],
        "scheduledAt": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    made = port.post("/v1/posts", json=wanted, headers=speaking(tenancy) | {"x-idempotency-key": key})
    return body(made)


def test_a_post_is_made_once_and_what_is_given_of_it_is_changed(port: httpx.Client, tenancy: Tenancy) -> None:
    post = scheduled(port, tenancy, "once")
    assert scheduled(port, tenancy, "once")["id"] == post["id"]
    path, caller = f"/v1/posts/{post['id']}", speaking(tenancy)
    changed = body(port.patch(path, json={"text": "second"}, headers=caller))
    assert changed == post | {"text": "second"}
    emptied = body(port.patch(path, json={"text": "third", "updateMask": "scheduledAt,text"}, headers=caller))
    assert emptied["text"] == "third"
    assert "scheduledAt" not in emptied
    refused = port.patch(path, json={"updateMask": "id"}, headers=caller)
    assert (refused.status_code, refused.json()["details"][0]["code"]) == (400, "invalid_request")
