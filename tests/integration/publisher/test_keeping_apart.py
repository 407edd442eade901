"""Workspaces apart, and credentials unreadable to whoever holds only the database."""

import asyncio

import psycopg
import pytest

from services.publisher.adapters import vault
from services.publisher.adapters.postgres import keys
from services.publisher.adapters.sealing import MasterKeys, Sealed, SealError
from services.publisher.domain.account import AccountStatus
from services.publisher.domain.post import PostStatus, TargetStatus
from services.publisher.domain.request import MediaInput, TargetInput
from services.publisher.ports import Caller
from tests.integration.publisher.conftest import TOKEN, Stage

TENANT_TABLES = (
    "accounts",
    "attempts",
    "imports",
    "outbox",
    "post_media",
    "posts",
    "targets",
    "usage",
    "workspace_keys",
)


@pytest.fixture
async def filled(stage: Stage) -> Stage:
    """A row in every table."""
    await stage.connect()
    stage.media.add("med_1")
    stage.media.elsewhere["https://cdn.example.com/a.jpg"] = b"jpeg"
    post = await stage.post(media=[MediaInput(media_id="med_1"), MediaInput(url="https://cdn.example.com/a.jpg")])
    for claim in await stage.world.imports.claim(1, 60.0):
        await stage.app.importer.fetch(claim)
    await stage.settled(post)
    for table in TENANT_TABLES:
        assert stage.sql(f"SELECT 1 FROM publisher.{table}"), table  # noqa: S608
    return stage


def rows(url: str, table: str, workspace_id: str | None) -> int:
    """What the stage's own role sees of a table."""
    with psycopg.connect(url) as conn:
        if workspace_id is not None:
            conn.execute("SELECT set_config('app.workspace_id', %s, true)", [workspace_id])
        found = conn.execute(f"SELECT * FROM publisher.{table}".encode()).fetchall()  # noqa: S608
    return len(found)


class TestRows:
    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_without_a_workspace_or_with_anothers_there_are_none(
        self, filled: Stage, publisher_url: str, table: str
    ) -> None:
        assert rows(publisher_url, table, None) == 0
        assert rows(publisher_url, table, "") == 0
        assert rows(publisher_url, table, "ws_other") == 0
        assert rows(publisher_url, table, filled.caller.workspace_id) > 0

    async def test_every_table_is_behind_a_forced_policy(self, stage: Stage) -> None:
        bare = stage.sql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'publisher'::regnamespace AND relkind = 'r'"
            " AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        assert {name for (name,) in bare} == {"alembic_version", "inbox"}

    async def test_nothing_is_written_into_anothers_workspace(self, filled: Stage, publisher_url: str) -> None:
        with psycopg.connect(publisher_url) as conn:
            conn.execute("SELECT set_config('app.workspace_id', 'ws_other', true)")
            done = conn.execute("UPDATE publisher.targets SET status = 'queued', next_at = now()")
            assert done.rowcount == 0
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(
                    "INSERT INTO publisher.usage VALUES (%s, 'post_x', 0, 'gazette', true, '2026-11')",
                    [filled.caller.workspace_id],
                )

    async def test_the_other_mode_of_a_workspace_sees_nothing_either(self, filled: Stage) -> None:
        test = Caller(filled.caller.workspace_id, live=False)
        assert await filled.app.read_posts.page(test, limit=9, after=None, status=None) == ([], None)
        assert await filled.app.connect.page(test, limit=9, after=None, platform=None) == ([], None)
        assert (await filled.app.read_posts.usage(test))[1] == 0


class TestSeals:
    async def test_a_dump_of_the_database_holds_no_credential(self, filled: Stage) -> None:
        dump = "\n".join(
            str(row)
            for table in TENANT_TABLES
            for row in filled.sql(f"SELECT t::text FROM publisher.{table} t")  # noqa: S608
        )
        assert len(dump) > 1000
        for shown in (TOKEN, TOKEN.encode().hex()):
            assert shown not in dump
        assert filled.upstream.tokens == {f"Bearer {TOKEN}"}

    async def test_the_same_credentials_never_look_the_same(self, stage: Stage) -> None:
        await stage.connect(TOKEN, "acc_1")
        await stage.connect(TOKEN, "acc_2")
        assert len(set(stage.sql("SELECT sealed FROM publisher.accounts"))) == 2

    async def test_a_seal_moved_to_another_row_does_not_open_and_nothing_is_sent(self, stage: Stage) -> None:
        await stage.connect("mine", "acc_1")
        await stage.connect("other", "acc_2")
        stage.sql(
            "UPDATE publisher.accounts a SET sealed = b.sealed FROM publisher.accounts b WHERE a.id <> b.id"
            " AND a.workspace_id = b.workspace_id"
        )
        stage.upstream.tokens.clear()
        post = await stage.settled(await stage.post(targets=[TargetInput(account_id="acc_1")]))
        assert post.status is PostStatus.FAILED
        error = post.targets[0].error
        assert error is not None
        assert error.code == "credentials_unreadable"
        assert (stage.upstream.asked, stage.upstream.tokens) == ([], set())

    async def test_nor_one_moved_to_another_workspace(self, stage: Stage) -> None:
        await stage.connect(TOKEN, "acc_1")
        [(version, blob)] = stage.sql("SELECT key_version, sealed FROM publisher.accounts")
        assert isinstance(version, int)
        assert isinstance(blob, bytes)
        sealed = Sealed(version, blob)
        assert await stage.world.vault.open(stage.caller.workspace_id, "acc_1", sealed) == {"token": TOKEN}
        await stage.world.vault.seal("ws_other", "acc_1", {"token": "x"})
        with pytest.raises(SealError):
            await stage.world.vault.open("ws_other", "acc_1", sealed)

    async def test_a_doubt_outlives_a_wrong_key_file(self, stage: Stage) -> None:
        stage.gazette.protects = stage.upstream.protects = False
        await stage.connect()
        stage.upstream.orders.append("drop_after")
        post = await stage.post()
        await stage.work()
        wrong = stage.rebuilt(vault=vault.Vault(MasterKeys([bytes(32)]), keys.PostgresKeys(stage.database)))
        found = await wrong.settled(post)
        assert found.targets[0].status is TargetStatus.UNCONFIRMED
        assert len(stage.upstream.asked) == 1

    async def test_two_first_accounts_at_once_share_one_key(self, stage: Stage) -> None:
        await asyncio.gather(*(stage.connect(TOKEN, f"acc_{n}") for n in range(6)))
        assert stage.sql("SELECT count(*) FROM publisher.workspace_keys") == [(1,)]
        for n in range(6):
            await stage.settled(await stage.post(targets=[TargetInput(account_id=f"acc_{n}")]))
        assert len(stage.upstream.posts) == 6

    async def test_renewed_credentials_are_sealed_and_used_from_then_on(self, stage: Stage) -> None:
        account = await stage.connect("old-canary")
        old = await stage.world.accounts.sealed(stage.caller, account.account_id)
        assert old is not None
        stage.gazette.renews = "new-canary"
        post = await stage.settled(await stage.post())
        assert (post.status, post.targets[0].attempts) == (PostStatus.PUBLISHED, 1)
        assert "Bearer new-canary" in stage.upstream.tokens
        assert "new-canary" not in str(stage.sql("SELECT a::text FROM publisher.accounts a"))
        # Whoever was refused with the old ones says nothing about the new ones.
        assert not await stage.world.accounts.invalidate(stage.caller, account.account_id, old.blob)
        assert (await stage.app.connect.get(stage.caller, account.account_id)).status is AccountStatus.ACTIVE

    async def test_refused_credentials_are_told_once_however_many_are_refused_with_them(self, stage: Stage) -> None:
        account = await stage.connect()
        sealed = await stage.world.accounts.sealed(stage.caller, account.account_id)
        assert sealed is not None
        for _ in range(2):
            assert await stage.world.accounts.invalidate(stage.caller, account.account_id, sealed.blob)
        assert (await stage.app.connect.get(stage.caller, account.account_id)).status is AccountStatus.INVALID
        assert stage.told_of(account.account_id) == ["account_invalid"]
