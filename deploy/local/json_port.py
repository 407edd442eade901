"""The JSON port's Envoy, with the configuration Kubernetes uses. No part of the local stack: tests start it."""

from dataclasses import dataclass
from pathlib import Path

from deploy.local.envoy import FOLDER, EnvoyProgram, filled_in
from deploy.local.ports import HOST, Ports
from deploy.local.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who gets in.

    Attributes:
        certificates: A folder with ca.crt, tls.crt and tls.key.
        callers: A regular expression for the DNS names of callers' certificates.
    """

    certificates: Path
    callers: str


class JsonPort(EnvoyProgram):
    """Listens where `ports` has the edge, and calls the stages where `ports` has them."""

    name = "json-port"
    threads = 1

    def __init__(self, state: State, *, ports: Ports, door: Door) -> None:
        super().__init__(state, ports=ports)
        self._door = door

    def rendered(self) -> str:
        ports = self._ports
        values = {
            "ENVOY_ADMIN_HOST": HOST,
            "ENVOY_ADMIN_PORT": ports.envoy_admin,
            "ENVOY_STATUS_PORT": ports.envoy_status,
            "JSON_LISTEN_HOST": HOST,
            "JSON_LISTEN_PORT": ports.edge,
            "JSON_DESCRIPTORS": FOLDER / "json_port.binpb",
            "JSON_TLS_DIR": self._door.certificates,
            "JSON_CALLERS": self._door.callers,
            "INGEST_HOST": HOST,
            "INGEST_PORT": ports.ingest,
            "TRANSCODER_HOST": HOST,
            "TRANSCODER_PORT": ports.transcoder,
            "PUBLISHER_HOST": HOST,
            "PUBLISHER_PORT": ports.publisher,
        }
        return filled_in(FOLDER / "json_port.yaml", values)
