"""Roles, schemas and tables.   python -m services.common.migrate [--to <revision>] ingest publisher …

Reads the administrator's URL from the file in MEDIA_MIGRATE_DATABASE_URL_FILE and each stage's password from
MEDIA_MIGRATE_<STAGE>_PASSWORD_FILE; with MEDIA_MIGRATE_SCALER_PASSWORD_FILE, whoever scales the transcoder by what
waits may log in too. Safe to repeat, to run twice at once, and to run while the stages work: what waits for a lock
longer than a moment lets go, for who comes after would wait behind it, and tries again.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

SERVICES = Path(__file__).resolve().parents[1]
LOCK = 0x6D656469  # any number, the same for all who migrate
TURN_EVERY_S = 0.5
LOCK_TIMEOUT_MS = 2_000
TRIES = 60
SCALER = "MEDIA_MIGRATE_SCALER_PASSWORD_FILE"
PAUSE_S = 1.0  # those who waited behind go first


def main(arguments: Sequence[str]) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="services.common.migrate")
    parser.add_argument("stages", nargs="+", metavar="stage")
    parser.add_argument(
        "--to", default="head", metavar="revision", help="of one stage; an older one, or base, goes back"
    )
    wanted = parser.parse_args(arguments)
    if wanted.to != "head" and len(wanted.stages) != 1:
        parser.error("--to names a revision of one stage")
    url = _file("MEDIA_MIGRATE_DATABASE_URL_FILE").replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    with engine.connect() as conn:
        _take_turn(conn)
        for stage in wanted.stages:
            _roles(conn, stage, _file(f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE"))
            _tables(conn, stage, wanted.to)
        if SCALER in os.environ:
            _scaler(conn, _file(SCALER))
    engine.dispose()


def tenant_table(op: Operations | Any, schema: str, table: str) -> None:
    """Puts a table with a workspace_id behind a forced policy: its stage sees the workspace of the transaction, the
    stage's system role sees all."""
    name, login = f"{schema}.{table}", f"mediaapi_{schema}"
    scope = "workspace_id = current_setting('app.workspace_id', true)"
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY workspace ON {name} TO {login} USING ({scope}) WITH CHECK ({scope})")
    op.execute(f"CREATE POLICY system ON {name} TO {login}_system USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {login}, {login}_system")


def outbox_inbox(op: Operations | Any, schema: str) -> None:
    """The events of a stage that are still to be told, and those it has heard."""
    op.execute(
        f"CREATE TABLE {schema}.outbox (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,"
        " workspace_id text NOT NULL, subject text NOT NULL, body bytea NOT NULL,"
        " created_at timestamptz NOT NULL DEFAULT now())"
    )
    op.execute(
        f"CREATE TABLE {schema}.inbox (consumer text NOT NULL, event_id text NOT NULL,"
        " at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (consumer, event_id))"
    )
    tenant_table(op, schema, "outbox")
    login = f"mediaapi_{schema}"
    op.execute(f"GRANT SELECT, INSERT, DELETE ON {schema}.inbox TO {login}, {login}_system")


def index_beside_writers(op: Operations | Any, name: str, rows: str) -> None:
    """Makes an index, `rows` being its table and all that follows, while others write to the table.

    It is outside of any transaction: what stands before it in a migration is committed, so a migration that has one
    must bear being repeated. What a try that ended left behind, which is an index nobody may use, goes first.
    """
    with op.get_context().autocommit_block():
        # It holds nobody up while it waits for those who write.
        op.execute("SET lock_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY {name.rpartition('.')[2]} ON {rows}")
        op.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")


def _take_turn(conn: Connection) -> None:
    """One migrates at a time. Whoever waits asks again and again: one that slept in the query would be a transaction
    for whose end an index made beside writers waits, and its maker is whom it waits for."""
    while not conn.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar():
        conn.rollback()
        time.sleep(TURN_EVERY_S)
    conn.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
    conn.commit()


def _roles(conn: Connection, stage: str, password: str) -> None:
    login, system = f"mediaapi_{stage}", f"mediaapi_{stage}_system"
    for role in (login, system):
        if not conn.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar():
            _run(conn, sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    rows: Iterable[sql.Composed] = (
        sql.SQL("ALTER ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD {}").format(
            sql.Identifier(login), sql.Literal(password)
        ),
        sql.SQL("ALTER ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS").format(sql.Identifier(system)),
        sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(sql.Identifier(system), sql.Identifier(login)),
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(stage)),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(*map(sql.Identifier, (stage, login, system))),
    )
    for row in rows:
        _run(conn, row)
    conn.commit()


def _scaler(conn: Connection, password: str) -> None:
    """The role is one of the transcoder's tables' making."""
    with conn.begin():
        _run(conn, sql.SQL("ALTER ROLE mediaapi_scaler LOGIN PASSWORD {}").format(sql.Literal(password)))


def _tables(conn: Connection, stage: str, to: str) -> None:
    for _ in range(TRIES - 1):
        try:
            return _steps(conn, stage, to)
        except OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            conn.rollback()
            sys.stderr.write(f"{stage}: a table is in use; once more\n")
        time.sleep(PAUSE_S)
    return _steps(conn, stage, to)


def _steps(conn: Connection, stage: str, to: str) -> None:
    """Raises CommandError if there is no such revision."""
    script = ScriptDirectory(str(SERVICES / stage / "migrations"))
    newer = {one.revision for one in script.iterate_revisions("head", to)}

    def steps(now: Any, _: object) -> Any:
        return script._upgrade_revs(to, now) if newer.isdisjoint(now) else script._downgrade_revs(to, now)

    with EnvironmentContext(Config(), script, fn=steps) as env:
        env.configure(connection=conn, version_table_schema=stage, transaction_per_migration=True)
        with env.begin_transaction():
            env.run_migrations()
    conn.commit()


def _run(conn: Connection, statement: sql.Composed) -> None:
    driver: Any = conn.connection.driver_connection
    driver.execute(statement)


def _file(variable: str) -> str:
    path = os.environ.get(variable)
    if path is None:
        sys.exit(f"{variable} is not set")
    return Path(path).read_text().strip()


if __name__ == "__main__":
    main(sys.argv[1:])
