"""An Envoy that is about to go: it serves on, and asks its callers to close; the container beside it ends when told."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from deploy.local.ports import HOST, Ports
from tests.chart.rendered import release

[LEAVE] = [
    one
    for one in release("minimal").named("Deployment", "envoy")["spec"]["template"]["spec"]["containers"]
    if one["name"] == "leave"
]


def command(words: Sequence[str]) -> list[str]:
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def test_it_serves_on_and_asks_callers_to_close(ports: Ports) -> None:
    connection = http.client.HTTPConnection(HOST, ports.edge, timeout=10)

    def asked() -> tuple[int, str | None]:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("connection")

    assert [asked(), asked()] == [(404, None)] * 2
    hook = command(LEAVE["lifecycle"]["preStop"]["exec"]["command"])
    subprocess.run(hook, env={**os.environ, "ENVOY_ADMIN_PORT": str(ports.envoy_admin)}, check=True, timeout=30)
    # A new connection is taken too: Kubernetes may not have told everybody yet.
    assert [asked(), asked()] == [(404, "close")] * 2


def test_nobody_there_is_no_success() -> None:
    hook = command(LEAVE["lifecycle"]["preStop"]["exec"]["command"])
    nobody = {**os.environ, "ENVOY_ADMIN_PORT": str(Ports.free().envoy_admin)}
    assert subprocess.run(hook, env=nobody, check=False, capture_output=True, timeout=30).returncode != 0


def test_the_container_beside_it_waits_to_be_told() -> None:
    with subprocess.Popen(command(LEAVE["command"])) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(10) == 0
