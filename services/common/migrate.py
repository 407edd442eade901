"""Roles, schemas and tables.   python -m services.common.migrate ingest publisher …

Reads the administrator's URL from the file in MEDIA_MIGRATE_DATABASE_URL_FILE and each stage's password from
MEDIA_MIGRATE_<STAGE>_PASSWORD_FILE. Safe to repeat and to run twice at once.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, create_engine, text

SERVICES = Path(__file__).resolve().parents[1]
LOCK = 0x6D656469  # any number, the same for all who migrate


def main(stages: Sequence[str]) -> None:
    """Entry point."""
    url = _file("MEDIA_MIGRATE_DATABASE_URL_FILE").replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    with engine.connect() as conn:
        conn.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        conn.commit()
        for stage in stages:
            _roles(conn, stage, _file(f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE"))
            _tables(conn, stage)
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


def _tables(conn: Connection, stage: str) -> None:
    script = ScriptDirectory(str(SERVICES / stage / "migrations"))

    def steps(revision: Any, _: object) -> Any:
        return script._upgrade_revs("head", revision)

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
