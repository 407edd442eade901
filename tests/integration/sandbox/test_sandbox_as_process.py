"""The sandbox as the process the local stack starts: its accounts work, and what it received survives a restart."""

import asyncio
import base64
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.clamd import Clamd
from deploy.local.nats import Nats
from deploy.local.ports import Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3, S3Ports
from deploy.local.stages import Stage, Wiring
from deploy.local.state import State
from deploy.local.tenant import DemoAccount, demo_accounts
from services.common.guarded_http import connect
from services.platforms import registry
from services.platforms.ports import Account, Draft
from tests.contract.platforms.samples import Steps, asset, picture


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Stage]:
    """Started as `make run` does; the stores it is told nothing of are not."""
    state, ports = State(tmp_path), Ports.free()
    wiring = Wiring(
        state=state,
        ports=ports,
        postgres=Postgres(state, port=ports.postgres),
        nats=Nats(state, port=ports.nats, monitor_port=ports.nats_monitor),
        s3=S3(state, ports=S3Ports.of(ports)),
        clamd=Clamd(state),
    )
    stage = Stage("sandbox", wiring)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()


def url_of(stage: Stage) -> str:
    """Where it answers."""
    return stage.env()["MEDIA_SANDBOX_PUBLIC_URL"]


async def publish(url: str, account: DemoAccount, data: bytes) -> str:
    """Verifies the account and publishes the picture; the post's id on the platform."""
    publisher = registry.publishers()[account.platform]
    async with connect(trusted=[url]) as http:
        given = Account(account.id, f"{url}/{account.platform}", account.credentials)
        verified = await publisher.verify(http, given)
        known = Account(account.id, given.base_url, verified.credentials)
        shown = asset(data, alt_text="noise")
        wanted = Draft(text="Hello from a process.", assets=(shown,), created_at=datetime.now(UTC))
        prepared = await publisher.prepare(http, known, wanted, Steps())
        handle = publisher.new_handle(wanted, known, datetime.now(UTC), bytes)
        return (await publisher.publish(http, known, wanted, prepared, handle)).platform_post_id


def received(url: str, platform: str) -> list[dict[str, Any]]:
    """What one platform got."""
    posts: list[dict[str, Any]] = httpx.get(f"{url}/{platform}/_sandbox/posts").json()["posts"]
    return posts


def test_the_local_accounts_publish_and_the_page_shows_it_after_a_restart_too(sandbox: Stage) -> None:
    url, data = url_of(sandbox), picture()
    assert httpx.get(f"{url}/healthz").status_code == 200
    accounts = [one for one in demo_accounts() if one.platform in ("bluesky", "x", "pinterest")]
    ids = {account.platform: asyncio.run(publish(url, account, data)) for account in accounts}
    assert len(ids) == 3
    sandbox.kill()
    sandbox.start()
    for platform, post_id in ids.items():
        (post,) = received(url, platform)
        assert post["id"] == post_id
        (shown,) = post["media"]
        assert httpx.get(f"{url}/{platform}/_sandbox/files/{shown['sha256']}").content == data
    page = httpx.get(url + "/")
    assert page.text.count("Hello from a process.") == len(ids)
    assert page.text.count("<img") == len(ids)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert httpx.get(f"{url}/style.css").headers["content-type"].startswith("text/css")


def test_it_stops_at_once_and_with_success(sandbox: Stage) -> None:
    assert sandbox.child is not None
    child = sandbox.child
    # Killed where it takes longer, however busy the machine is, and then its exit code says so.
    child.stop(signal.SIGTERM, grace_s=10)
    assert child.exit_code() == 0


def test_a_request_under_way_is_answered_before_it_stops(sandbox: Stage) -> None:
    url = url_of(sandbox)
    data = base64.b64encode(picture(1200, 1000, "PNG")).decode()
    body = {
        "board_id": "1234567890",
        "media_source": {"source_type": "image_base64", "content_type": "image/png", "data": data},
    }

    def slowly() -> Iterator[bytes]:
        whole = httpx.Request("POST", url, json=body).content
        half = len(whole) // 2
        yield whole[:half]
        assert sandbox.child is not None
        os.kill(sandbox.child.pid, signal.SIGTERM)
        time.sleep(0.3)
        yield whole[half:]

    headers = {"Authorization": "Bearer sandbox-slow", "Content-Type": "application/json"}
    answer = httpx.post(f"{url}/pinterest/v5/pins", content=slowly(), headers=headers, timeout=20)
    assert answer.status_code == 201
    assert sandbox.child is not None
    sandbox.child.stop(signal.SIGTERM, grace_s=5)
    assert sandbox.child.exit_code() == 0
