"""An Envoy for tests of what it does by itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.local.envoy import Envoy
from deploy.local.ports import Ports
from deploy.local.s3 import S3
from deploy.local.state import State


@pytest.fixture(scope="module")
def ports(s3: S3, local_state: State) -> Iterator[Ports]:
    """Where it listens; no gateway is behind it."""
    ports = replace(Ports.free(), s3=int(s3.endpoint.rpartition(":")[2]))
    envoy = Envoy(local_state, ports=ports, credentials=s3.credentials("cdn"))
    try:
        envoy.start()
        yield ports
    finally:
        envoy.stop()
