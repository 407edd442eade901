"""Slow clients are told so and cut; what they sent of an upload in pieces is kept, and nobody else waits for them.

The names of the cases are the rows of the list of attacks.
"""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import pytest

from deploy.local.ports import HOST
from deploy.local.s3 import QUARANTINE
from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body, eventually
from tests.e2e.dialects import DRAFT, DRAFT_PIECE, TUS, TUS_PIECE
from tests.e2e.dripping import Slow, slow_headers
from tests.e2e.tenants import Tenancy

MIB = 1 << 20
SIZE = 20 * MIB
AT_ONCE = 50
BEGINS = 70_000  # less than a window's worth, more than a client's first packets
SAMPLES = 5
DIALECTS = ("put", "tus", "draft")
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="clip.mp4"\r\nContent-Type: video/mp4\r\n\r\n'


@pytest.fixture(scope="module")
def tenant(tight: Stack) -> Iterator[Tenancy]:
    """A customer with a large plan."""
    found = Tenancy(tight)
    yield found
    found.client.close()


@pytest.fixture(scope="module")
def film() -> bytes:
    """Of SIZE bytes."""
    return media.padded(media.film(), SIZE)


def begin(client: Client, size: int = SIZE) -> str:
    made = client.http.post("/v1/uploads", json={"filename": "clip.mp4", "sizeBytes": size})
    body(made)
    return made.headers["location"]


def auth(client: Client) -> dict[str, str]:
    return {"authorization": client.http.headers["authorization"]}


def form(client: Client, begins: bytes, drips: bytes = b"x") -> Slow:
    headers = auth(client) | {"content-type": "multipart/form-data; boundary=b", "content-length": str(SIZE)}
    return Slow("POST", "/v1/media", headers, FORM + begins, drips)


def piece(client: Client, dialect: str, url: str, begins: bytes, drips: bytes) -> Slow:
    method, said = {
        "put": ("PUT", {"content-range": f"bytes 0-{SIZE - 1}/{SIZE}"}),
        "tus": ("PATCH", TUS_PIECE | {"upload-offset": "0"}),
        "draft": ("PATCH", DRAFT_PIECE | {"upload-offset": "0", "upload-complete": "?1"}),
    }[dialect]
    headers = auth(client) | said | {"content-length": str(SIZE)}
    return Slow(method, url, headers, begins, drips)


def offset(client: Client, dialect: str, url: str) -> int:
    told: Mapping[str, str] = DRAFT if dialect == "draft" else TUS
    return int(client.http.head(url, headers=told).headers["upload-offset"])


def multipart_uploads(stack: Stack) -> int:
    return len(stack.s3.client().list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", []))


async def test_p8_heads_that_never_end_are_cut_and_others_are_served(tight: Stack, tenant: Tenancy) -> None:
    slow = [asyncio.create_task(slow_headers(HOST, tight.ports.edge)) for _ in range(AT_ONCE)]
    await asyncio.sleep(1)
    answer = await asyncio.to_thread(tenant.client.upload, media.jpeg(64, 64))
    assert answer.status_code == 201, answer.text
    assert sum(task.done() for task in slow) == 0
    cut_after_s = await asyncio.wait_for(asyncio.gather(*slow), 60)
    assert min(cut_after_s) > 8


@pytest.fixture(scope="module")
def ended(tight: Stack, tenant: Tenancy, film: bytes) -> dict[tuple[str, str], tuple[str, Slow]]:
    """What became of slow bodies, all at once: by dialect and way, with the upload's URL."""
    ways = {"dripping": (film[:BEGINS], film), "silent": (film[:BEGINS], b""), "large": (film[: 9 * MIB], film)}
    cases = {}
    for way, (begins, drips) in ways.items():
        cases["form", way] = ("", form(tenant.client, begins, drips))
        for dialect in DIALECTS:
            url = begin(tenant.client)
            cases[dialect, way] = (url, piece(tenant.client, dialect, url, begins, drips))

    async def run() -> None:
        await asyncio.gather(*(slow.run(HOST, tight.ports.edge) for _, slow in cases.values()))

    asyncio.run(run())
    return cases


@pytest.mark.parametrize("dialect", DIALECTS)
def test_p8_drips_into_an_upload_in_pieces_end_and_what_came_is_kept(
    tenant: Tenancy, film: bytes, ended: dict[tuple[str, str], tuple[str, Slow]], dialect: str
) -> None:
    client = tenant.client
    for way in ("dripping", "silent", "large"):
        url, slow = ended[dialect, way]
        assert (slow.status, slow.code) == (408, "upload_stalled")
        kept = offset(client, dialect, url)
        # Of the last drips some may not have arrived before the answer left.
        assert len(slow.begins) <= kept <= slow.sent_bytes
        if way == "large":
            headers = {"content-range": f"bytes {kept}-{SIZE - 1}/{SIZE}", "prefer": "wait=30"}
            assert body(client.http.put(url, content=film[kept:], headers=headers))["sizeBytes"] == SIZE
        else:
            assert client.http.delete(url).status_code == 204


def test_p8_drips_into_a_form_end_and_nothing_is_left(
    tight: Stack, tenant: Tenancy, ended: dict[tuple[str, str], tuple[str, Slow]]
) -> None:
    slow = [slow for (dialect, _), (_, slow) in ended.items() if dialect == "form"]
    assert [(it.status, it.code) for it in slow] == [(408, "upload_stalled")] * 3
    assert [it for it in tenant.client.all_media() if it["status"] == "receiving"] == []
    eventually(lambda: multipart_uploads(tight) == 0, within_s=60)


@asynccontextmanager
async def dripping(tight: Stack, client: Client, film: bytes) -> AsyncIterator[list[Slow]]:
    """AT_ONCE clients that drip while inside, each anew when it was ended; yields those that were ended.

    Half of them speak tus, and two have sent so much at first that their parts lie in the store.
    """
    ended: list[Slow] = []
    going = True
    urls = {number: begin(client) for number in range(0, AT_ONCE, 2)}
    current: dict[int, Slow] = {}

    async def drip(number: int) -> None:
        begins = film[: 9 * MIB] if number in (0, 2) else film[:BEGINS]
        while going:
            url = urls.get(number)
            one = piece(client, "tus", url, begins, film) if url else form(client, begins)
            current[number] = one
            ended.append(await one.run(HOST, tight.ports.edge))
            begins = film[:BEGINS]
            if url:
                await asyncio.to_thread(client.http.delete, url)
                urls[number] = await asyncio.to_thread(begin, client)

    def begun() -> bool:
        return len(current) == AT_ONCE and all(one.sent_bytes for one in list(current.values()))

    tasks = [asyncio.create_task(drip(number)) for number in range(AT_ONCE)]
    try:
        await asyncio.to_thread(eventually, begun, within_s=60)
        yield ended
    finally:
        going = False
        await asyncio.gather(*tasks)
        for url in urls.values():
            await asyncio.to_thread(client.http.delete, url)


async def honest(tenancy: Tenancy) -> list[float]:
    """Seconds that uploads of pictures nobody has seen before took to be answered."""
    took = []
    for _ in range(SAMPLES):
        data = media.jpeg(320, 240) + random.randbytes(8)  # noqa: S311
        began = time.perf_counter()
        answer = await asyncio.to_thread(tenancy.client.upload, data)
        took.append(time.perf_counter() - began)
        assert answer.status_code == 201, answer.text
    return took


@pytest.mark.timeout(240)
async def test_p8_fifty_dripping_clients_do_not_slow_an_honest_upload(
    tight: Stack, tenant: Tenancy, film: bytes
) -> None:
    other = Tenancy(tight)
    await honest(other)  # everything is loaded that loads when first used
    alone = await honest(other)
    async with dripping(tight, tenant.client, film) as ended:
        beside = await honest(other)
    other.client.close()
    assert len(ended) >= AT_ONCE
    assert {(slow.status, slow.code) for slow in ended} <= {(408, "upload_stalled"), (0, "")}
    assert min(beside) < 3 * statistics.median(alone), (alone, beside)
    eventually(lambda: multipart_uploads(tight) == 0, within_s=90)
