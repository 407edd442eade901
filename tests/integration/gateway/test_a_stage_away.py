"""A stage that is away takes its own routes with it, for as long as it is, and no others."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from deploy.local.ports import HOST
from tests.integration.gateway.conftest import Service, done, refused
from tests.media import jpeg


@contextmanager
def away(service: Service, name: str) -> Iterator[None]:
    service.stack.stop_daemon(name)
    try:
        yield
    finally:
        service.stack.start_daemon(name)


def soon(holds: Callable[[], bool]) -> None:
    """Within two seconds of the stage's own readiness."""
    ends = time.monotonic() + 2
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


def readiness(service: Service) -> httpx.Response:
    return httpx.get(f"http://{HOST}:{service.port}/readyz", trust_env=False)


def test_all_is_said_to_be_ready(service: Service) -> None:
    answer = readiness(service)
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert set(answer.json()["stages"]) == {"gateway", "ingest", "scanner", "transcoder", "publisher"}


@pytest.mark.parametrize(
    ("stage", "gone", "there"),
    [("publisher", "/v1/posts", "/v1/media"), ("ingest", "/v1/media", "/v1/posts")],
)
def test_only_its_own_routes_are_unavailable(service: Service, stage: str, gone: str, there: str) -> None:
    with away(service, stage):
        answer = service.one.http.get(gone)
        assert refused(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        done(service.one.http.get(there))
        ready = readiness(service)
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert [name for name, told in ready.json()["stages"].items() if not told["ready"]] == [stage]
        assert httpx.get(f"http://{HOST}:{service.port}/healthz", trust_env=False).status_code == 200
    soon(lambda: service.one.http.get(gone).is_success)


def test_an_upload_in_vain_is_told_so_and_may_be_repeated(service: Service) -> None:
    photo, headers = jpeg(), {"idempotency-key": "in-vain"}
    with service.customer() as customer:
        with away(service, "ingest"):
            answer = customer.http.post("/v1/media", files={"file": ("a.jpg", photo)}, headers=headers)
            assert refused(answer) == (503, "unavailable")
        soon(lambda: customer.http.get("/v1/media").is_success)
        again = customer.http.post("/v1/media", files={"file": ("a.jpg", photo)}, headers=headers)
        assert again.status_code == 201
        assert "idempotent-replayed" not in again.headers
        assert len(done(customer.http.get("/v1/media"))["data"]) == 1
