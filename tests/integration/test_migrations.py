"""Every stage's tables: made, unmade and made again; while the stage writes, and while others migrate."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from deploy.local.postgres import Postgres
from deploy.local.stages import WITH_TABLES
from deploy.local.state import REPOSITORY, State
from services.common.migrate import SERVICES

DATABASE = "migrations"
SINCE = {"publisher": "publisher_0004", "ingest": "ingest_0007"}  # what comes next begins with an index


@dataclass(frozen=True, slots=True)
class Tables:
    """A database nobody else uses, and the program that migrates it."""

    url: str
    env: dict[str, str]

    def migrate(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs it to its end."""
        command = [sys.executable, "-m", "services.common.migrate", *arguments]
        return subprocess.run(command, env=self.env, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    def migrated(self, *arguments: str) -> None:
        """It must succeed."""
        done = self.migrate(*arguments)
        assert done.returncode == 0, done.stderr

    def schema(self, stage: str, postgres: Postgres) -> list[str]:
        """Everything that is in it, as SQL."""
        command = [str(Path(postgres.program()).with_name("pg_dump")), "--schema-only", f"--schema={stage}", self.url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        # A new pair of words for every dump.
        return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        """As the superuser; every statement by itself."""
        return psycopg.connect(self.url, autocommit=True)


@pytest.fixture
def tables(postgres: Postgres, local_state: State, tmp_path: Path) -> Iterator[Tables]:
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {DATABASE}")
        url = postgres.url(database=DATABASE)
        (tmp_path / "url").write_text(url)
        env = dict(os.environ) | {"MEDIA_MIGRATE_DATABASE_URL_FILE": str(tmp_path / "url")}
        for stage in WITH_TABLES:
            (tmp_path / stage).write_text(local_state.secret(f"postgres-{stage}"))
            env[f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE"] = str(tmp_path / stage)
        yield Tables(url, env)
        conn.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def revisions(stage: str) -> list[str]:
    """Oldest first."""
    script = ScriptDirectory(str(SERVICES / stage / "migrations"))
    return [one.revision for one in script.walk_revisions()][::-1]


def test_down_and_up_again_is_what_it_was(tables: Tables, postgres: Postgres) -> None:
    tables.migrated(*WITH_TABLES)
    for stage in WITH_TABLES:
        whole = tables.schema(stage, postgres)
        # One step back and forth, and the whole way.
        before = revisions(stage)[-2]
        for back in (before, "base"):
            tables.migrated("--to", back, stage)
            assert tables.schema(stage, postgres) != whole
            tables.migrated(stage)
            assert tables.schema(stage, postgres) == whole, f"{stage}: not the same after {back}"


def test_nothing_is_left_of_a_stage_that_went_back_to_the_beginning(tables: Tables) -> None:
    tables.migrated(*WITH_TABLES)
    for stage in WITH_TABLES:
        tables.migrated("--to", "base", stage)
    with tables.connect() as conn:
        left = conn.execute(
            "SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = ANY (%s) AND relname !~ '^alembic_version'"
            " UNION SELECT nspname, proname FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace"
            " WHERE nspname = ANY (%s)",
            [list(WITH_TABLES), list(WITH_TABLES)],
        ).fetchall()
    assert left == []


def test_a_revision_there_is_not_is_refused(tables: Tables) -> None:
    tables.migrated("publisher")
    assert tables.migrate("--to", "publisher_9999", "publisher").returncode == 1
    assert tables.migrate("--to", "publisher_0001", "publisher", "ingest").returncode == 2


@pytest.mark.parametrize("stage", SINCE)
def test_writers_go_on_while_an_index_is_made(tables: Tables, stage: str) -> None:
    """A transaction that stays open holds up whoever makes the index, and nobody behind it."""
    tables.migrated("--to", SINCE[stage], stage)
    table = {"publisher": "publisher.targets", "ingest": "ingest.media"}[stage]
    with tables.connect() as open_one, tables.connect() as other, ThreadPoolExecutor() as pool:
        open_one.execute("BEGIN")
        open_one.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        migrating = pool.submit(tables.migrate, stage)
        _until(lambda: _waits_for_writers(other), "the index is not being made")
        other.execute("SET lock_timeout = '1s'")
        other.execute(f"UPDATE {table} SET workspace_id = workspace_id")  # noqa: S608  words of ours
        open_one.execute("COMMIT")
        assert migrating.result(60).returncode == 0, migrating.result().stderr
        assert other.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid").fetchall() == []


def test_a_table_in_use_is_let_go_of_and_asked_for_again(tables: Tables) -> None:
    tables.migrated("--to", "publisher_0001", "publisher")
    with tables.connect() as reader, tables.connect() as other, ThreadPoolExecutor() as pool:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM publisher.posts")
        migrating = pool.submit(tables.migrate, "publisher")
        _until(lambda: _waits_for_a_table(other), "the column is not being added")
        # Whoever comes now waits behind the column, and no longer than it does.
        other.execute("SELECT * FROM publisher.posts")
        reader.execute("COMMIT")
        done = migrating.result(60)
        assert (done.returncode, "once more" in done.stderr) == (0, True), done.stderr


def test_an_index_that_was_not_finished_is_made_anew(tables: Tables) -> None:
    tables.migrated("--to", "publisher_0004", "publisher")
    with tables.connect() as conn:
        conn.execute("CREATE INDEX targets_known ON publisher.targets (index)")
        conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'publisher.targets_known'::regclass")
        tables.migrated("publisher")
        row = conn.execute(
            "SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indexrelid = 'publisher.targets_known'::regclass"
        ).fetchone()
    assert row is not None
    assert row[0] is True
    assert "platform_post_id" in str(row[1])


def test_several_at_once_take_turns(tables: Tables) -> None:
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: tables.migrate("ingest", "publisher"), range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]


def _waits_for_writers(conn: "psycopg.Connection[tuple[object, ...]]") -> bool:
    found = conn.execute("SELECT 1 FROM pg_stat_progress_create_index WHERE phase ~ 'waiting for writers'")
    return found.fetchone() is not None


def _waits_for_a_table(conn: "psycopg.Connection[tuple[object, ...]]") -> bool:
    return conn.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'").fetchone() is not None


def _until(true: Callable[[], bool], otherwise: str, within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
