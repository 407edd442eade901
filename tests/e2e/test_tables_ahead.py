"""Tables one version ahead of the programs, as while an upgrade lasts, and back again: nobody at work notices."""

import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory

from deploy.local.daemon import base_environment
from deploy.local.stack import Stack
from deploy.local.stages import WITH_TABLES
from deploy.local.state import REPOSITORY
from services.common.migrate import SERVICES
from tests import media
from tests.e2e.client import body, eventually
from tests.e2e.tenants import Tenancy

MIGRATE = (
    "import sys, pathlib; from services.common import migrate;"
    " migrate.SERVICES = pathlib.Path(sys.argv[1]); migrate.main(sys.argv[2:])"
)
FAILED = "failed"
# All that `expand` allows: columns of every table, with a default and without, an index of each, and a table.
NEXT = """
from alembic import op
from sqlalchemy import text
from services.common.migrate import index_beside_writers, tenant_table
revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None

def alter_each(change):
    asked = text("SELECT tablename FROM pg_tables WHERE schemaname = '{stage}' AND tablename !~ 'alembic_version'")
    tables = sorted(op.get_bind().execute(asked).scalars())
    with op.get_context().autocommit_block():
        for table in tables:
            op.execute(f"ALTER TABLE {stage}.{{table}} {{change}}")
    return tables

def upgrade():
    alter_each("ADD COLUMN IF NOT EXISTS next_plain text")
    for table in alter_each("ADD COLUMN IF NOT EXISTS next_number bigint NOT NULL DEFAULT 7"):
        index_beside_writers(op, f"{stage}.{{table}}_next", f"{stage}.{{table}} (next_plain)")
    op.execute("CREATE TABLE {stage}.next (workspace_id text NOT NULL PRIMARY KEY)")
    tenant_table(op, "{stage}", "next")

def downgrade():
    op.execute("DROP TABLE IF EXISTS {stage}.next")
    alter_each("DROP COLUMN IF EXISTS next_plain, DROP COLUMN IF EXISTS next_number")
"""


def with_next(folder: Path) -> dict[str, str]:
    """Migrations of every stage as they are, and one more. Returns the newest that there really is, by stage."""
    heads = {}
    for stage in WITH_TABLES:
        copy = folder / stage / "migrations"
        shutil.copytree(SERVICES / stage / "migrations", copy)
        heads[stage] = str(ScriptDirectory(str(copy)).get_current_head())
        (copy / "versions" / "next.py").write_text(NEXT.format(stage=stage, head=heads[stage]))
    return heads


def migrate(stack: Stack, services: Path, *arguments: str) -> None:
    """The migration job, beside everything at work."""
    state = stack.state
    url = state.write_secret("migrate.url", stack.postgres.url())
    env = base_environment() | {"MEDIA_MIGRATE_DATABASE_URL_FILE": str(url)}
    for stage in WITH_TABLES:
        password = state.write_secret(f"migrate.{stage}", state.secret(f"postgres-{stage}"))
        env[f"MEDIA_MIGRATE_{stage.upper()}_PASSWORD_FILE"] = str(password)
    command = [sys.executable, "-c", MIGRATE, str(services), *arguments]
    done = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def at_work(tenancy: Tenancy) -> Iterator[Counter[str]]:
    """One uploads, one posts, one reads, and none of them puts up with anything. Counts what is done."""
    done, ended, client = Counter[str](), threading.Event(), tenancy.client
    [target] = [it for it in tenancy.targets if it["platform"] == "bluesky"]

    def upload() -> None:
        assert client.stored(media.jpeg())["status"] == "ready"

    def post() -> None:
        made = body(client.create_post("tables ahead", [], [target]))
        assert client.settled_post(made["id"])["status"] == "published"

    def read() -> None:
        for path in ("/v1/media", "/v1/posts", "/v1/accounts", "/v1/usage"):
            body(client.http.get(path))

    works = (upload, post, read)

    def again_and_again(n: int) -> None:
        try:
            while not ended.wait(0.05):
                works[n]()
                done[works[n].__name__] += 1
        except BaseException:
            done[FAILED] += 1
            raise

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(again_and_again, n) for n in range(len(works))]
        try:
            yield done
        finally:
            ended.set()
        for one in running:
            one.result()


def more_of_all(done: Counter[str]) -> None:
    """Waits until each kind of work was done some more times; what failed is told by `at_work`."""
    before = Counter(done)
    works = ("upload", "post", "read")
    eventually(lambda: done[FAILED] > 0 or all(done[name] > before[name] + 2 for name in works), within_s=90)


@pytest.mark.timeout(300)
def test_nobody_notices_tables_that_are_one_version_ahead_or_go_back(
    stack: Stack, tenancy: Tenancy, tmp_path: Path
) -> None:
    heads = with_next(tmp_path)
    with at_work(tenancy) as done:
        more_of_all(done)
        migrate(stack, tmp_path, *WITH_TABLES)
        with psycopg.connect(stack.postgres.url()) as conn:
            ahead = conn.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%\\_next'").fetchone()
        assert ahead is not None
        assert ahead[0] > len(WITH_TABLES)
        more_of_all(done)
        for stage in WITH_TABLES:
            migrate(stack, tmp_path, "--to", heads[stage], stage)
        more_of_all(done)
