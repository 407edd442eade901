"""The real daemons, each started once per session on free ports when a test first asks for it.

A daemon that cannot start fails the tests that need it; nothing is skipped.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from deploy.local.clamd import Clamd
from deploy.local.daemon import Daemon
from deploy.local.nats import Nats
from deploy.local.ports import Ports
from deploy.local.postgres import Postgres
from deploy.local.s3 import S3, S3Ports
from deploy.local.state import State
from deploy.local.tenant import migrate

D = TypeVar("D", bound=Daemon)


@pytest.fixture(scope="session")
def local_state() -> Iterator[State]:
    """One folder for all daemons of this session; short, since a unix socket's path is."""
    with tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder:
        yield State(Path(folder))


@pytest.fixture(scope="session")
def local_ports() -> Ports:
    """Free ports for all of them."""
    return Ports.free()


@pytest.fixture(scope="session")
def postgres(local_state: State, local_ports: Ports) -> Iterator[Postgres]:
    """PostgreSQL with an empty database `mediaapi`; `.url()` is the superuser's."""
    with _running(Postgres(local_state, port=local_ports.postgres, fsync=False)) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def ingest_url(postgres: Postgres, local_state: State) -> str:
    """The database with ingest's tables, as its own role."""
    return _migrated("ingest", postgres, local_state)


@pytest.fixture(scope="session")
def transcoder_url(postgres: Postgres, local_state: State) -> str:
    """The same of the transcoder."""
    return _migrated("transcoder", postgres, local_state)


@pytest.fixture(scope="session")
def publisher_url(postgres: Postgres, local_state: State) -> str:
    """The same of the publisher."""
    return _migrated("publisher", postgres, local_state)


@pytest.fixture(scope="session")
def nats(local_state: State, local_ports: Ports) -> Iterator[Nats]:
    """NATS with JetStream; `.url(stage)` has that stage's rights, `.url()` all of them; `.wipe()` loses everything."""
    with _running(Nats(local_state, port=local_ports.nats, monitor_port=local_ports.nats_monitor)) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def s3(local_state: State, local_ports: Ports) -> Iterator[S3]:
    """The object store with both buckets; `.endpoint`, `.credentials(stage)`, `.client(stage)`, `.empty()`."""
    with _running(S3(local_state, ports=S3Ports.of(local_ports))) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def clamd(local_state: State) -> Iterator[Clamd]:
    """clamd on `.socket`; finds EICAR, Debian's test files and deploy.local.clamd.NEEDLE."""
    with _running(Clamd(local_state)) as daemon:
        yield daemon


def _migrated(stage: str, postgres: Postgres, state: State) -> str:
    migrate(state, postgres, [stage])
    return postgres.url(user=f"mediaapi_{stage}", password=state.secret(f"postgres-{stage}"))


@contextmanager
def _running(daemon: D) -> Iterator[D]:
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
