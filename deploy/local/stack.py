"""The whole service on one machine: `with Stack(State(folder), ports=Ports.free()) as stack: …`."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType

from deploy.local.clamd import Clamd, find_clamd
from deploy.local.daemon import Daemon
from deploy.local.envoy import Envoy
from deploy.local.nats import Nats
from deploy.local.ports import Ports
from deploy.local.postgres import Postgres
from deploy.local.processes import LocalError
from deploy.local.s3 import S3, S3Ports
from deploy.local.stages import STAGES, Stage, Wiring
from deploy.local.state import State
from deploy.local.tenant import Tenant, migrate

# Seconds before a program that died is started again; the last one for all further times.
RESTART_AFTER_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# A program that ran this long is no longer called unsteady.
STEADY_AFTER_S = 20.0
WATCH_EVERY_S = 0.05
REPLICAS_MAX = 4

Tell = Callable[[str], None]
Tables = Callable[[State, Postgres], None]


def _silent(_: str) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class _Watched:
    """What the watcher knows of one program."""

    daemon: Daemon
    wanted: bool = False
    deaths: int = 0
    died_at: float | None = None
    started_at: float = 0.0


def replicas_of(env: Mapping[str, str]) -> int:
    """How many of each stage LMP_REPLICAS asks for; one, if it does not say.

    Raises:
        LocalError: that is no small number.
    """
    asked = env.get("LMP_REPLICAS", "1")
    if not asked.isdecimal() or not 1 <= int(asked) <= REPLICAS_MAX:
        raise LocalError(f"LMP_REPLICAS={asked!r} is not a number from 1 to {REPLICAS_MAX}")
    return int(asked)


class Stack:
    """Starts, watches, restarts and stops all programs.

    `tell` gets one line for each thing worth knowing. A stage or daemon that dies is started again; `kill` relies on
    that, `stop_daemon` prevents it.
    """

    def __init__(
        self,
        state: State,
        *,
        ports: Ports | None = None,
        tell: Tell = _silent,
        trusted_origins: Sequence[str] = (),
        webhook_origins: Sequence[str] = (),
        import_origins: Sequence[str] = (),
        tuned: Mapping[str, Mapping[str, object]] | None = None,
        replicas: int = 1,
        tables: Tables = migrate,
    ) -> None:
        self.state = state
        self.ports = ports or Ports.from_environment()
        self._tell = tell
        self._tables = tables
        self.postgres = Postgres(state, port=self.ports.postgres)
        self.nats = Nats(state, port=self.ports.nats, monitor_port=self.ports.nats_monitor)
        self.s3 = S3(state, ports=S3Ports.of(self.ports))
        self.clamd = Clamd(state)
        each = (self.ports, *(self.ports.replica(STAGES) for _ in range(replicas - 1))) if replicas > 1 else ()
        self.wiring = Wiring(
            state=state,
            ports=self.ports,
            postgres=self.postgres,
            nats=self.nats,
            s3=self.s3,
            clamd=self.clamd,
            trusted_origins=tuple(trusted_origins),
            webhook_origins=tuple(webhook_origins),
            import_origins=tuple(import_origins),
            tuned=tuned or {},
            replicas=each,
        )
        gateways = [ports.gateway_http for ports in each]
        envoy = Envoy(state, ports=self.ports, credentials=self.s3.credentials("cdn"), gateways=gateways)
        stores: list[Daemon] = [self.postgres, self.nats, self.s3, self.clamd]
        front: list[Daemon] = [Stage(name, self.wiring, replica) for name in STAGES for replica in range(replicas)]
        front += [Stage("sandbox", self.wiring), envoy]
        self._watched = {daemon.name: _Watched(daemon) for daemon in (*stores, *front)}
        self._stores = [daemon.name for daemon in stores]
        self._front = [daemon.name for daemon in front]
        self.tenant = Tenant(self.wiring)
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watcher", daemon=True)
        self._claim: int | None = None

    @property
    def url(self) -> str:
        """Where the API is, through Envoy."""
        return self.wiring.public_url

    @property
    def api_key(self) -> str:
        """A test key of the workspace."""
        return self.tenant.api_key

    @property
    def pids(self) -> dict[str, int]:
        """Process id of everything that runs, by name."""
        return {name: item.daemon.pid for name, item in self._watched.items() if item.daemon.running}

    def daemon(self, name: str) -> Daemon:
        """A stage, a further replica of it (`ingest-1`), `sandbox`, `envoy`, `postgres`, `nats`, `s3` or `clamd`."""
        return self._watched[name].daemon

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything, or raise.

        Raises:
            LocalError: what is wrong and what to do.
        """
        self._claim = self.state.lock()
        self.ports.check()
        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="start") as pool:
            try:
                self._start_all(pool)
            except BaseException:
                # Ends the programs the pool's threads wait for, so that leaving this block takes no time.
                self.stop()
                raise
        self._watcher.start()

    def stop(self) -> None:
        """Stop everything, stages first; afterwards no process is left. Safe to repeat."""
        self._stopping.set()
        for group in (self._front, self._stores):
            with ThreadPoolExecutor(max_workers=len(group)) as pool:
                _wait([pool.submit(self.stop_daemon, name) for name in group])
        if self._watcher.is_alive():
            self._watcher.join()
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def kill(self, name: str) -> int:
        """SIGKILL that program; it is started again by itself. Returns the process id that is no more."""
        daemon = self.daemon(name)
        pid = daemon.pid
        daemon.kill()
        return pid

    def stop_daemon(self, name: str) -> None:
        """Stop that program until `start_daemon`."""
        with self._lock:
            item = self._watched[name]
            item.wanted = False
        item.daemon.stop()

    def start_daemon(self, name: str) -> None:
        """Start that program again and wait until it answers."""
        self._start(name)

    def replace_daemon(self, daemon: Daemon) -> None:
        """Stop the program of that name; `start` or `start_daemon` starts this one in its place."""
        self.stop_daemon(daemon.name)
        self._watched[daemon.name].daemon = daemon

    def wait_ready(self, name: str, *, within_s: float = 30.0) -> None:
        """Wait until that program answers, as after `kill`.

        Raises:
            LocalError: it does not within that time.
        """
        end = time.monotonic() + within_s
        daemon = self.daemon(name)
        while not (daemon.running and daemon.answers()):
            if time.monotonic() > end:
                raise LocalError(f"{name} does not answer after {within_s:.0f} s")
            time.sleep(WATCH_EVERY_S)

    def _start_all(self, pool: ThreadPoolExecutor) -> None:
        """Stores side by side, then tables, then stages, Envoy and the key side by side, then the accounts."""
        self._tell("starting PostgreSQL, NATS, S3, clamd")
        stores = [name for name in self._stores if name != "clamd" or self._clamd_is_there()]
        starting = {name: pool.submit(self._start, name) for name in stores}
        starting["postgres"].result()
        self._tell("migrating the database")
        self._tables(self.wiring.state, self.wiring.postgres)
        # clamd may take a minute to load an official database; all but uploads works without it.
        _wait(future for name, future in starting.items() if name != "clamd" or not self.clamd.official)
        self._tell("starting the stages and Envoy")
        front = [pool.submit(self._start, name) for name in self._front]
        front.append(pool.submit(self.tenant.create_key))
        _wait(front)
        self._tell("connecting accounts")
        self.tenant.provision_accounts()

    def _start(self, name: str) -> None:
        item = self._watched[name]
        with self._lock:
            if self._stopping.is_set():
                raise LocalError(f"{name} is not started: the stack is stopping")
            item.wanted, item.died_at, item.started_at = True, None, time.monotonic()
            item.daemon.launch()
        item.daemon.wait_ready()
        item.daemon.settle()

    def _clamd_is_there(self) -> bool:
        try:
            find_clamd()
        except LocalError as exc:
            self._tell(f"WARNING: {exc}. Until then every upload is refused.")
            return False
        return True

    def _watch(self) -> None:
        while not self._stopping.wait(WATCH_EVERY_S):
            for item in self._watched.values():
                with self._lock:
                    self._revive(item)

    def _revive(self, item: _Watched) -> None:
        """Start a program again that ended by itself, later each time it does so quickly."""
        if not item.wanted or item.daemon.running or self._stopping.is_set():
            return
        now = time.monotonic()
        if item.died_at is None:
            item.deaths = 1 if now - item.started_at > STEADY_AFTER_S else item.deaths + 1
            item.died_at = now
        delay = RESTART_AFTER_S[min(item.deaths, len(RESTART_AFTER_S)) - 1]
        if now - item.died_at < delay:
            return
        self._tell(f"{item.daemon.name} {item.daemon.last_words()}\n  starting it again")
        # Not to leave what it started itself behind.
        item.daemon.stop()
        item.died_at, item.started_at = None, now
        try:
            item.daemon.launch()
        except LocalError as exc:
            self._tell(f"{item.daemon.name}: {exc}")


def _wait(futures: Iterable[Future[None]]) -> None:
    """Wait for all; raises what went wrong as soon as something does."""
    for future in as_completed(list(futures)):
        future.result()
