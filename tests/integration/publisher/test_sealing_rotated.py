"""The key-encryption key is replaced while posts are published; the operator's command is killed on its way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from mediaapi.v1 import post_pb2
from mediaapi.v1 import publisher_service_pb2 as pb
from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceStub

from deploy.local.clamd import Clamd
from deploy.local.daemon import base_environment
from deploy.local.nats import Nats
from deploy.local.ports import HOST, Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3
from deploy.local.stages import Stage, Wiring
from deploy.local.state import REPOSITORY, State
from deploy.local.tenant import demo_accounts
from services.common import context, db, rpc
from services.common.context import CallContext
from services.common.errors import MediaError
from services.publisher.adapters import sealing
from services.publisher.adapters.postgres.keys import PostgresKeys
from services.publisher.adapters.sealing import MasterKeys, SealError, parse_keks
from services.publisher.adapters.vault import Vault

if TYPE_CHECKING:
    from mediaapi.v1.publisher_service_pb2_grpc import PublisherServiceAsyncStub

ACCOUNT = demo_accounts()[0]
OTHERS = 1_000  # workspaces beside the one that publishes: enough that a rotation can be killed on its way
PATIENCE_S = 60.0


@dataclass
class House:
    """A publisher with its sandbox, and the keys it is given."""

    wiring: Wiring
    publisher: Stage
    database_url: str
    old: str
    new: str
    folder: Path
    caller: CallContext = field(default_factory=lambda: CallContext(f"ws_{uuid.uuid4().hex}", "req_1", plan="business"))

    def give(self, *keks: str) -> None:
        """From its next start the publisher has these keys."""
        self.wiring.state.write_secret("kek", "\n".join(keks))

    def admin(self, keks: list[str], *arguments: str) -> subprocess.Popen[str]:
        """lmp-admin, with these keys."""
        (self.folder / "kek").write_text("\n".join(keks))
        (self.folder / "url").write_text(self.database_url)
        env = base_environment() | {
            "MEDIA_PUBLISHER_KEK_FILE": str(self.folder / "kek"),
            "MEDIA_PUBLISHER_DATABASE_URL_FILE": str(self.folder / "url"),
            "MEDIA_PUBLISHER_LOG_LEVEL": "INFO",  # as in the stage's own container
        }
        command = [sys.executable, "-m", "services.admin.cli", "sealing", *arguments]
        return subprocess.Popen(
            command, env=env, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    async def uses(self, keks: list[str], *arguments: str) -> tuple[int, dict[str, tuple[str, int]]]:
        """Exit code, and each key's role and number of data keys."""
        process = self.admin(keks, *arguments, "--json")
        out, err = await asyncio.to_thread(process.communicate)
        assert process.returncode in (0, 4), err
        return process.returncode, {row["key"]: (row["role"], row["dataKeys"]) for row in json.loads(out)}

    def wrapped_with(self, kek: str) -> int:
        """How many data keys are."""
        with psycopg.connect(self.wiring.postgres.url(), autocommit=True) as conn:
            found = conn.execute(
                "SELECT count(*) FROM publisher.workspace_keys WHERE kek_id = %s", (name_of(kek),)
            ).fetchone()
        assert found is not None
        return int(found[0])

    def readiness(self) -> dict[str, str]:
        """The names of what is wrong, and why."""
        url = f"http://{HOST}:{self.wiring.ports.publisher_metrics}/readyz"
        checks = httpx.get(url, trust_env=False).json()["checks"]
        return {check["name"]: check["detail"] for check in checks if not check["ok"]}

    def received(self) -> list[str]:
        """The texts of all posts in the sandbox."""
        url = f"{self.wiring.sandbox_url}/{ACCOUNT.platform}/_sandbox/posts?limit=100000"
        return [post["text"] for post in httpx.get(url, trust_env=False).json()["posts"]]

    @asynccontextmanager
    async def calling(self) -> AsyncIterator["PublisherServiceAsyncStub"]:
        """As the workspace that publishes."""
        async with rpc.channel(f"{HOST}:{self.wiring.ports.publisher}") as channel:
            with context.use(self.caller):
                yield PublisherServiceStub(channel)


def name_of(kek: str) -> str:
    """As tables know it."""
    return sealing.kek_id(sealing.parse_kek(kek))


async def publish(stub: "PublisherServiceAsyncStub", text: str) -> post_pb2.Post:
    """Posts, and waits for its end."""
    request = pb.CreatePostRequest(text=text, targets=[post_pb2.PostTargetInput(account_id=ACCOUNT.id)])
    post: post_pb2.Post = await stub.CreatePost(request)
    async with asyncio.timeout(PATIENCE_S):
        while post.status in (post_pb2.POST_STATUS_PUBLISHING, post_pb2.POST_STATUS_SCHEDULED):
            await asyncio.sleep(0.05)
            post = await stub.GetPost(pb.GetPostRequest(id=post.id))
    return post


@pytest.fixture
def house(
    postgres: Postgres, nats: Nats, s3: S3, local_state: State, publisher_url: str, tmp_path: Path
) -> Iterator[House]:
    """It holds two keys, and wraps with the old one. Afterwards the session's only key is the session's again."""
    old, new = local_state.secret("kek", size_bytes=32), os.urandom(32).hex()
    wiring = Wiring(
        state=local_state, ports=Ports.free(), postgres=postgres, nats=nats, s3=s3, clamd=Clamd(local_state)
    )
    publisher, sandbox = Stage("publisher", wiring), Stage("sandbox", wiring)
    made = House(wiring, publisher, publisher_url, old, new, tmp_path)
    made.give(old, new)
    _empty(postgres)
    try:
        sandbox.start()
        publisher.start()
        yield made
    finally:
        made.give(old)
        publisher.stop()
        sandbox.stop()
        _empty(postgres)


def _empty(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute("TRUNCATE publisher.accounts, publisher.workspace_keys, publisher.webhook_endpoints")


async def others(house: House) -> None:
    """Workspaces that have a data key."""
    kek = sealing.parse_kek(house.old)
    names = [f"ws_other{n}" for n in range(OTHERS)]
    rows = [(name, sealing.kek_id(kek), sealing.wrap(kek, sealing.new_dek(), name, 1)) for name in names]
    async with await psycopg.AsyncConnection.connect(house.wiring.postgres.url()) as conn, conn.cursor() as cursor:
        await cursor.executemany("INSERT INTO publisher.workspace_keys VALUES (%s, 1, %s, %s)", rows)


async def test_the_key_is_replaced_while_posts_are_published(house: House) -> None:
    done: list[str] = []
    stopping = asyncio.Event()
    async with house.calling() as stub:
        inner = pb.CreateAccountRequest(platform=ACCOUNT.platform)
        inner.credentials.update(ACCOUNT.credentials)
        await stub.ProvisionAccount(pb.ProvisionAccountRequest(id=ACCOUNT.id, account=inner))
        await others(house)

        async def publishing() -> None:
            while not stopping.is_set():
                text = f"while keys change {uuid.uuid4().hex}"
                assert (await publish(stub, text)).status == post_pb2.POST_STATUS_PUBLISHED
                done.append(text)

        task = asyncio.create_task(publishing())
        killed = house.admin([house.new, house.old], "rotate", "--batch", "5")
        async with asyncio.timeout(PATIENCE_S):
            while not house.wrapped_with(house.new):  # noqa: ASYNC110  another process's work
                await asyncio.sleep(0.005)
        killed.send_signal(signal.SIGKILL)
        await asyncio.to_thread(killed.communicate)
        assert killed.returncode == -signal.SIGKILL
        assert 0 < house.wrapped_with(house.new) < OTHERS
        code, uses = await house.uses([house.new, house.old], "status", "--check")
        assert (code, uses[name_of(house.old)][0]) == (4, "opens")
        assert uses[name_of(house.old)][1] > 0

        before = len(done)
        code, uses = await house.uses([house.new, house.old], "rotate")
        assert (code, uses) == (
            0,
            {name_of(house.new): ("wraps and opens", OTHERS + 1), name_of(house.old): ("opens", 0)},
        )
        async with asyncio.timeout(PATIENCE_S):
            while len(done) <= before:  # noqa: ASYNC110  another post, under the new key
                await asyncio.sleep(0.05)
        stopping.set()
        await task

    house.publisher.stop()
    house.give(house.new)
    house.publisher.start()
    assert house.readiness() == {}
    async with house.calling() as stub:
        assert (await publish(stub, last := f"without the old key {uuid.uuid4().hex}")).status == (
            post_pb2.POST_STATUS_PUBLISHED
        )
    there = house.received()
    assert [there.count(text) for text in (*done, last)] == [1] * (len(done) + 1)


async def test_a_key_that_is_missing_is_named_and_nothing_is_opened_without_it(house: House) -> None:
    lost = os.urandom(32)
    masters = MasterKeys([lost])
    async with db.connect(house.database_url, schema="publisher") as database:
        keys = PostgresKeys(database)
        sealed = await Vault(masters, keys).seal("ws_lost", "acc_1", {"token": "canary"})
        vault = Vault(MasterKeys(parse_keks(house.old)), keys)
        with pytest.raises(SealError, match=f"{masters.newest}, which is not among those given"):
            await vault.open("ws_lost", "acc_1", sealed)
        with pytest.raises(SealError, match=masters.newest):
            await vault.seal("ws_lost", "acc_2", {"token": "canary"})
        with pytest.raises(MediaError, match=masters.newest):
            await vault.ready()
    assert masters.newest in house.readiness()["sealing keys"]
    code, uses = await house.uses([house.old], "rotate")
    assert (code, uses[masters.newest]) == (4, ("missing", 1))
    process = house.admin([], "status")
    _, err = process.communicate()
    assert (process.returncode, "MEDIA_PUBLISHER_KEK_FILE" in err) == (3, True)
