"""Which port everything listens on: fixed ones for people, free ones for tests. Loopback only."""

import atexit
import os
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from deploy.local.processes import LocalError

HOST = "127.0.0.1"
# Below what a kernel gives to whoever connects or does not care (Linux from 32768 on): such a port is free until the
# moment it is needed.
BLOCKS = range(20_000, 32_640, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One field, one listening socket; LMP_PORT sets `edge`, LMP_<FIELD>_PORT any other."""

    edge: int = 8080
    envoy_admin: int = 17001
    envoy_status: int = 17002
    gateway_http: int = 17010
    gateway: int = 17011
    gateway_metrics: int = 17012
    ingest: int = 17021
    ingest_metrics: int = 17022
    scanner: int = 17031
    scanner_metrics: int = 17032
    transcoder: int = 17041
    transcoder_metrics: int = 17042
    publisher: int = 17051
    publisher_metrics: int = 17052
    sandbox: int = 17061
    postgres: int = 17100
    nats: int = 17110
    nats_monitor: int = 17111
    s3: int = 17120
    s3_rpc: int = 17121
    weed_master: int = 17122
    weed_master_rpc: int = 17123
    weed_volume: int = 17124
    weed_volume_rpc: int = 17125
    weed_filer: int = 17126
    weed_filer_rpc: int = 17127

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> "Ports":
        """The defaults, with what the environment says instead.

        Raises:
            LocalError: a value is no port.
        """
        chosen: dict[str, int] = {}
        for field in fields(cls):
            name = variable(field.name)
            if name in env:
                if not env[name].isdecimal() or not 0 < int(env[name]) < 65536:
                    raise LocalError(f"{name}={env[name]!r} is not a port number (1 to 65535)")
                chosen[field.name] = int(env[name])
        return cls(**chosen)

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody listens on, all different, and given to nobody else as long as this process lives.

        Raises:
            LocalError: there are no more.
        """
        numbers = _block(len(fields(cls)))
        return cls(**{field.name: number for field, number in zip(fields(cls), numbers, strict=True)})

    def replica(self, stages: Iterable[str]) -> "Ports":
        """The same, with free ports for those stages: those of one more of each."""
        free = self.free()
        names = [field.name for field in fields(self) if field.name.partition("_")[0] in set(stages)]
        return replace(self, **{name: getattr(free, name) for name in names})

    def check(self) -> None:
        """See that each can be had.

        Raises:
            LocalError: one report of every port somebody else has, and how to choose another.
        """
        numbers = [getattr(self, field.name) for field in fields(self)]
        taken = [field.name for field in fields(self) if not _is_free(getattr(self, field.name))]
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        problems = [
            f"port {getattr(self, name)} ({name}) is taken; free it, or choose another with {variable(name)}=<port>"
            for name in taken
        ]
        problems += [f"port {number} is given to two things" for number in twice]
        if problems:
            raise LocalError("\n".join(problems))


def _block(count: int) -> list[int]:
    """Free ports of one of the blocks that nobody has yet."""
    for first in random.sample(BLOCKS, len(BLOCKS)):
        # Whoever holds the UDP port of a block's first number has the block; nothing here speaks UDP.
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind((HOST, first))
        except OSError:
            claim.close()
            continue
        free = [number for number in range(first, first + BLOCKS.step) if _is_free(number)]
        if len(free) >= count:
            atexit.register(claim.close)
            return free[:count]
        claim.close()
    raise LocalError("no ports are free")


def variable(field: str) -> str:
    """The environment variable that sets this port."""
    return "LMP_PORT" if field == "edge" else f"LMP_{field.upper()}_PORT"


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, *, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s):
            return True
    except OSError:
        return False
