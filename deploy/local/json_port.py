"""The JSON port's Envoy, with the configuration Kubernetes uses. No part of the local stack: tests start it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from deploy.local.daemon import Daemon, base_environment
from deploy.local.envoy import find_envoy
from deploy.local.nats import http_status
from deploy.local.ports import HOST, Ports
from deploy.local.processes import LocalError, output_of
from deploy.local.state import REPOSITORY, State, write_private

FOLDER = REPOSITORY / "deploy" / "k8s" / "envoy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who gets in.

    Attributes:
        certificates: A folder with ca.crt, tls.crt and tls.key.
        callers: A regular expression for the DNS names of callers' certificates.
    """

    certificates: Path
    callers: str


class JsonPort(Daemon):
    """Listens where `ports` has the edge, and calls the stages where `ports` has them."""

    name = "json-port"
    grace_s = 2.0

    def __init__(self, state: State, *, ports: Ports, door: Door) -> None:
        super().__init__(state)
        self._ports = ports
        self._door = door
        self._config = state.folder(self.name) / "envoy.yaml"

    def prepare(self) -> None:
        write_private(self._config, rendered(self._ports, self._door))

    def argv(self) -> list[str]:
        return [*self._program(), "--use-dynamic-base-id", "--log-level", "warning", "--concurrency", "1"]

    def env(self) -> Mapping[str, str]:
        return base_environment()

    def answers(self) -> bool:
        return http_status(f"http://{HOST}:{self._ports.envoy_admin}/ready") == 200

    def validate(self) -> None:
        """See that Envoy takes the configuration.

        Raises:
            LocalError: it does not; its words are in the message.
        """
        self.prepare()
        output_of([*self._program(), "--mode", "validate"], env=self.env(), user=None)

    def _program(self) -> list[str]:
        return [find_envoy(), "--config-path", str(self._config)]


def rendered(ports: Ports, door: Door) -> str:
    """The shipped configuration with this machine's addresses in it.

    Raises:
        LocalError: it asks for a name we do not know.
    """
    values = {
        "ENVOY_ADMIN_HOST": HOST,
        "ENVOY_ADMIN_PORT": ports.envoy_admin,
        "ENVOY_STATUS_PORT": ports.envoy_status,
        "JSON_LISTEN_HOST": HOST,
        "JSON_LISTEN_PORT": ports.edge,
        "JSON_DESCRIPTORS": FOLDER / "json_port.binpb",
        "JSON_TLS_DIR": door.certificates,
        "JSON_CALLERS": door.callers,
        "INGEST_HOST": HOST,
        "INGEST_PORT": ports.ingest,
        "TRANSCODER_HOST": HOST,
        "TRANSCODER_PORT": ports.transcoder,
        "PUBLISHER_HOST": HOST,
        "PUBLISHER_PORT": ports.publisher,
    }
    config = FOLDER / "json_port.yaml"
    try:
        return Template(config.read_text()).substitute(values)
    except (KeyError, ValueError) as exc:
        raise LocalError(f"{config}: placeholder {exc} is not one of {', '.join(values)}") from exc
