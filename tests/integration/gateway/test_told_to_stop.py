"""A stage that is told to stop while requests take longer than it may wait: whoever asked is told to ask again."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.local.stages import DRAIN_S
from tests.integration.gateway.conftest import Service, done, refused
from tests.media import film, jpeg, padded

EVERY_S = 0.25
SIZE = 4 << 20  # the gateway hands on a quarter of a mebibyte at a time

Ask = Callable[[threading.Event], httpx.Response]


def slowly(data: bytes, began: threading.Event) -> Iterator[bytes]:
    """All of it, but not before whoever is told to stop must have left."""
    count = int(2 * DRAIN_S / EVERY_S)
    size = -(-len(data) // count)
    for at in range(0, len(data), size):
        yield data[at : at + size]
        if at > 2 * size:
            began.set()
        time.sleep(EVERY_S)


def cut(service: Service, stage: str, *asks: Ask) -> list[httpx.Response]:
    """What is answered to requests while that stage is told to stop; afterwards it is there again."""
    began = [threading.Event() for _ in asks]
    with ThreadPoolExecutor(len(asks)) as pool:
        asked = [pool.submit(ask, event) for ask, event in zip(asks, began, strict=True)]
        assert all(event.wait(DRAIN_S) for event in began)
        service.stack.stop_daemon(stage)
        try:
            return [one.result(timeout=4 * DRAIN_S) for one in asked]
        finally:
            service.stack.start_daemon(stage)


@pytest.mark.parametrize("stage", ["gateway", "ingest"])
def test_what_is_cut_off_is_told_so_and_goes_on_or_is_repeated(service: Service, stage: str) -> None:
    film_data, photo = padded(film(), SIZE), jpeg(1024, 768)
    form = httpx.Request("POST", "http://x", files={"file": ("a.jpg", photo)})
    body, key = form.read(), f"cut-off-by-{stage}"
    begun = done(service.one.http.post("/v1/uploads", json={"filename": "a.mp4", "sizeBytes": SIZE}))
    place = f"/v1/uploads/{begun['id']}"

    def piece(first: int, content: bytes | Iterator[bytes]) -> httpx.Response:
        headers = {"content-range": f"bytes {first}-{SIZE - 1}/{SIZE}", "content-length": str(SIZE - first)}
        return service.one.http.put(place, headers=headers, content=content)

    def whole(content: bytes | Iterator[bytes]) -> httpx.Response:
        headers = {"content-type": form.headers["content-type"], "content-length": str(len(body))}
        return service.one.http.post("/v1/media", headers={**headers, "idempotency-key": key}, content=content)

    answers = cut(
        service,
        stage,
        lambda began: piece(0, slowly(film_data, began)),
        lambda began: whole(slowly(body, began)),
    )
    for answer in answers:
        assert refused(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    state = service.one.http.put(place, headers={"content-range": f"bytes */{SIZE}"})
    assert state.status_code == 308
    there = int(state.headers["range"].removeprefix("bytes=0-")) + 1
    assert SIZE // 8 < there < SIZE
    for made, sent in ((piece(there, film_data[there:]), film_data), (whole(body), photo)):
        assert service.one.http.get(f"/v1/media/{done(made)['id']}/source").content == sent
