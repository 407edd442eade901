"""The daemons as the stack runs them: what they answer, keep, refuse and leave behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import nats as nats_client
import psycopg
import pytest
from nats.errors import Error as NatsError

from deploy.local.clamd import NEEDLE, Clamd
from deploy.local.nats import Nats
from deploy.local.ports import Ports, answers
from deploy.local.postgres import Postgres
from deploy.local.processes import LocalError
from deploy.local.s3 import ACTIVE, QUARANTINE, S3
from deploy.local.state import REPOSITORY, State

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def test_postgres_does_not_run_as_root_and_has_the_database(postgres: Postgres) -> None:
    assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0 or os.geteuid() != 0
    with psycopg.connect(postgres.url()) as conn:
        assert conn.execute("SELECT current_database()").fetchone() == ("mediaapi",)


def test_postgres_runs_below_a_folder_only_root_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    daemon = Postgres(State(closed / "state"), port=Ports.free().postgres, fsync=False)
    try:
        daemon.start()
        with psycopg.connect(daemon.url()) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)
    finally:
        daemon.stop()


def test_what_was_committed_survives_a_kill(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url()) as conn:
        conn.execute("CREATE TABLE kept (n int)")
        conn.execute("INSERT INTO kept VALUES (7)")
    # A session that does not notice at once holds what a new server needs.
    busy = psycopg.connect(postgres.url())
    os.kill(busy.info.backend_pid, signal.SIGSTOP)
    postgres.kill()
    threading.Timer(1.0, os.kill, (busy.info.backend_pid, signal.SIGCONT)).start()
    postgres.start()
    busy.close()
    with psycopg.connect(postgres.url()) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (7,)
        conn.execute("DROP TABLE kept")


async def test_a_stage_can_make_streams_but_not_drop_them(nats: Nats) -> None:
    await _drop_streams(nats)
    client = await nats_client.connect(nats.url("ingest"))
    try:
        stream = client.jetstream()
        await stream.add_stream(name="MEDIA", subjects=["media.v1.>"])
        acknowledged = await stream.publish("media.v1.media_sealed", b"one")
        assert acknowledged.seq == 1
        with pytest.raises(NatsError):
            await stream.delete_stream("MEDIA")
    finally:
        await client.close()
    await _drop_streams(nats)


async def test_wiping_jetstream_loses_the_streams_and_nothing_else(nats: Nats) -> None:
    await _drop_streams(nats)
    client = await nats_client.connect(nats.url())
    await client.jetstream().add_stream(name="TRIAL", subjects=["media.v1.trial"])
    await client.close()
    nats.wipe()
    client = await nats_client.connect(nats.url())
    assert await client.jetstream().streams_info() == []
    await client.close()


def test_each_s3_identity_may_do_its_own_work_only(s3: S3) -> None:
    s3.client("ingest").put_object(Bucket=QUARANTINE, Key="med_1/a", Body=b"bytes")
    assert s3.client("scanner").get_object(Bucket=QUARANTINE, Key="med_1/a")["Body"].read() == b"bytes"
    s3.client("transcoder").put_object(Bucket=ACTIVE, Key="cdn/med_1/t/x.jpg", Body=b"jpeg")
    assert s3.client("cdn").get_object(Bucket=ACTIVE, Key="cdn/med_1/t/x.jpg")["Body"].read() == b"jpeg"
    refused: list[Callable[[], object]] = [
        lambda: s3.client("scanner").put_object(Bucket=QUARANTINE, Key="med_1/b", Body=b""),
        lambda: s3.client("transcoder").get_object(Bucket=QUARANTINE, Key="med_1/a"),
        lambda: s3.client("cdn").get_object(Bucket=QUARANTINE, Key="med_1/a"),
        lambda: s3.client("cdn").put_object(Bucket=ACTIVE, Key="cdn/x", Body=b""),
    ]
    for attempt in refused:
        with pytest.raises(botocore.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
            attempt()
    s3.empty()
    assert s3.client().list_objects_v2(Bucket=QUARANTINE)["KeyCount"] == 0


def test_objects_survive_a_kill_of_the_store(s3: S3) -> None:
    s3.client("ingest").put_object(Bucket=ACTIVE, Key="sources/med_1/a", Body=b"kept" * 1_000_000)
    s3.kill()
    s3.start()
    assert s3.client("ingest").get_object(Bucket=ACTIVE, Key="sources/med_1/a")["Body"].read() == b"kept" * 1_000_000
    s3.empty()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(EICAR, b"Eicar", id="the EICAR file"),
        pytest.param(b"\0" * 30_000_000 + NEEDLE, b"Letmepost-Test-Needle", id="a needle 30 MB in"),
        pytest.param(b"clean" * 1000, b"OK", id="clean bytes"),
    ],
)
def test_clamd_answers_what_the_test_signatures_say(clamd: Clamd, data: bytes, expected: bytes) -> None:
    assert expected in _scan(clamd, data)


def test_a_daemon_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        daemon = Nats(State(tmp_path), port=holder.getsockname()[1], monitor_port=Ports.free().nats_monitor)
        with pytest.raises(LocalError, match=r"(?s)nats ended with code 1.*address already in use"):
            daemon.start()


def test_no_daemon_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    ports = Ports.free()
    program = (
        "import sys, time; from pathlib import Path; from deploy.local.state import State\n"
        "from deploy.local.nats import Nats; from deploy.local.postgres import Postgres\n"
        f"state = State(Path({str(tmp_path)!r}))\n"
        f"nats = Nats(state, port={ports.nats}, monitor_port={ports.nats_monitor}); nats.start()\n"
        f"postgres = Postgres(state, port={ports.postgres}, fsync=False); postgres.start()\n"
        "print(nats.pid, postgres.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    assert len(pids) == 2
    end = time.monotonic() + 10
    while any(_alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in pids)
    assert not answers(ports.postgres)


def _alive(pid: int) -> bool:
    """Whether it still does something; a zombie nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _scan(clamd: Clamd, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as conn:
        conn.settimeout(60)
        conn.connect(str(clamd.socket))
        conn.sendall(b"zINSTREAM\0")
        for start in range(0, len(data), 1 << 20):
            chunk = data[start : start + (1 << 20)]
            conn.sendall(len(chunk).to_bytes(4, "big") + chunk)
        conn.sendall(bytes(4))
        return conn.recv(4096)


async def _drop_streams(nats: Nats) -> None:
    client = await nats_client.connect(nats.url())
    for info in await client.jetstream().streams_info():
        await client.jetstream().delete_stream(str(info.config.name))
    await client.close()
