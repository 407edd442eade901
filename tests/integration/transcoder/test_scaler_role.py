"""What KEDA asks the transcoder's queue, as the role that the migrations made for it."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import Postgres
from deploy.local.state import REPOSITORY, State
from services.transcoder.adapters.postgres.items import SHARE_S
from tests.chart.rendered import release

DATABASE = "scaled"
ROW = (
    "INSERT INTO transcoder.items (workspace_id, id, kind, content_type, source_key, source_etag, size_bytes, sha256,"
    " token, request_id, version, due_at, gone) VALUES (%s, %s, %s, '', '', '', 0, '', '', '', 0, now() + %s, %s)"
)

SEGMENT = (
    "INSERT INTO transcoder.segments (workspace_id, media_id, n, of, seconds, presets, digests)"
    " VALUES ('ws_b', '3', %s, 3, 60, '{}', %s)"
)


@pytest.fixture
def asked_as(postgres: Postgres, local_state: State, tmp_path: Path) -> str:
    """The scaler's URL of a database with the transcoder's tables and some work."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        conn.execute(f"CREATE DATABASE {DATABASE}")
    password = local_state.secret("postgres-scaler")
    files = {
        "DATABASE_URL": postgres.url(database=DATABASE),
        "TRANSCODER_PASSWORD": local_state.secret("postgres-transcoder"),
        "SCALER_PASSWORD": password,
    }
    env = dict(os.environ)
    for name, value in files.items():
        (tmp_path / name).write_text(value)
        env[f"MEDIA_MIGRATE_{name}_FILE"] = str(tmp_path / name)
    command = [sys.executable, "-m", "services.common.migrate", "transcoder"]
    subprocess.run(command, env=env, cwd=REPOSITORY, check=True)
    with psycopg.connect(postgres.url(database=DATABASE), autocommit=True) as conn:
        rows = [
            ("ws_a", "1", "image", "0", False),
            ("ws_b", "2", "image", "0", False),
            ("ws_b", "3", "video", "0", False),
            ("ws_b", "4", "video", "1 hour", False),  # not yet
            ("ws_a", "5", "video", "0", True),  # only to be swept
        ]
        for row in rows:
            conn.execute(ROW, row)
        for n, digests in enumerate((["0123abcd"], None, None)):
            conn.execute(SEGMENT, (n, digests))
    return postgres.url(user="mediaapi_scaler", password=password, database=DATABASE)


def test_it_counts_the_work_of_all_workspaces_and_sees_no_more(asked_as: str) -> None:
    [scaled] = release("full").of_kind("ScaledObject")
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    with psycopg.connect(asked_as, autocommit=True) as conn:
        assert conn.execute(query).fetchall() == [(2 * SHARE_S["image"] + (1 + 2) * SHARE_S["video"],)]
        for forbidden in (
            "SELECT id FROM transcoder.items",
            "SELECT * FROM transcoder.variants",
            "SELECT media_id FROM transcoder.segments",
            "UPDATE transcoder.items SET gone = true",
            "SET ROLE mediaapi_transcoder_system",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(forbidden)
