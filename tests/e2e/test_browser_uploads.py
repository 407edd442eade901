"""A page of another origin uploads, through Envoy, in a real Chromium: with Uppy, and with nothing but fetch."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page

from deploy.local.stack import Stack
from tests import media
from tests.e2e.browser import Site, site
from tests.e2e.client import Client, Json, body
from tests.e2e.line import Line, line

UPPY = Path(__file__).parents[1] / "tus" / "uppy.mjs"
SIZE = 12_345_678
CHUNK = 5_000_000
BREAKS_AFTER = 8_000_000  # in the middle of the second piece

PIECES = """async ({uploads, key, size, cut}) => {
  const data = await (await fetch('/film')).blob();
  const authorization = `Bearer ${key}`;
  const begun = await fetch(uploads, {
    method: 'POST', headers: {authorization, 'content-type': 'application/json'},
    body: JSON.stringify({filename: 'film.mp4', sizeBytes: size, altText: 'Wellen.'}),
  });
  const url = new URL(begun.headers.get('location'), uploads).href;
  const told = [];
  for (const [first, last] of [[0, cut], [cut, size]]) {
    const answer = await fetch(url, {
      method: 'PUT', headers: {authorization, 'content-range': `bytes ${first}-${last - 1}/${size}`},
      body: data.slice(first, last),
    });
    const {status, headers} = answer;
    const [range, offset, request] = ['range', 'upload-offset', 'x-request-id'].map((name) => headers.get(name));
    told.push({status, range, offset, request: request !== null});
    if (status === 200) return {told, item: await answer.json()};
  }
  return {told};
}"""

FORM = """async ({url, key}) => {
  const form = new FormData();
  form.append('file', await (await fetch('/photo')).blob(), 'Strand ü.jpg');
  form.append('altText', 'Wellen.');
  const answer = await fetch(url, {method: 'POST', headers: {authorization: `Bearer ${key}`}, body: form});
  return {status: answer.status, location: answer.headers.get('location'), item: await answer.json()};
}"""


@pytest.fixture(scope="module")
def film() -> bytes:
    return media.padded(media.film(), SIZE)


@pytest.fixture
def host(film: bytes) -> Iterator[Site]:
    """Somebody's page on another origin."""
    done = subprocess.run(
        [UPPY.parent / "node_modules" / ".bin" / "esbuild", UPPY.name, "--bundle", "--format=iife"],
        cwd=UPPY.parent,
        capture_output=True,
        timeout=60,
        check=True,
    )
    with site() as listening:
        listening.pages |= {
            "/": ("text/html", b'<!doctype html><title>page</title><script src="/uppy.js"></script>'),
            "/uppy.js": ("text/javascript", done.stdout),
            "/film": ("video/mp4", film),
            "/photo": ("image/jpeg", media.jpeg()),
        }
        yield listening


@dataclass
class Visit:
    """A page that is open, its line to the API, and the requests it made there, preflights too."""

    page: Page
    network: CDPSession
    line: Line
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def heard(self, event: Mapping[str, Any]) -> None:
        request = event["request"]
        if request["url"].startswith(self.line.url):
            self.asked.append((request["method"], request["headers"]))

    def methods(self) -> list[str]:
        """Of the requests, without their preflights."""
        return [method for method, _ in self.asked if method != "OPTIONS"]

    def offsets(self) -> list[int]:
        """Where each piece began."""
        return [int(headers["Upload-Offset"]) for method, headers in self.asked if method == "PATCH"]

    def preflights(self) -> set[str]:
        """Methods that the browser asked about."""
        return {headers["Access-Control-Request-Method"] for method, headers in self.asked if method == "OPTIONS"}


@pytest.fixture
async def visit(stack: Stack, browser: Browser, host: Site) -> AsyncIterator[Visit]:
    async with line(stack.ports.edge) as laid:
        context = await browser.new_context()
        page = await context.new_page()
        network = await context.new_cdp_session(page)
        found = Visit(page, network, laid)
        network.on("Network.requestWillBeSent", found.heard)
        await network.send("Network.enable")
        await page.goto(host.url)
        yield found
        await context.close()


def assert_is(item: Json, data: bytes, client: Client) -> None:
    """It is ready, and what the store holds is the very file."""
    settled = client.settled_media(item["id"])
    assert (settled["status"], settled["filename"], settled["altText"]) == ("ready", item["filename"], "Wellen.")
    stored = client.http.get(f"/v1/media/{item['id']}/source").content
    assert hashlib.sha256(stored).hexdigest() == hashlib.sha256(data).hexdigest() == settled["sha256"]


@pytest.mark.timeout(120)
async def test_uppy_goes_on_when_the_line_is_mended(stack: Stack, client: Client, visit: Visit, film: bytes) -> None:
    page = visit.page
    visit.line.breaks_after = BREAKS_AFTER
    endpoint = f"{visit.line.url}/v1/uploads"
    what = {"endpoint": endpoint, "key": stack.api_key, "file": "/film", "name": "Strand ü.mp4", "chunkSize": CHUNK}
    await page.evaluate("send", what)
    async with asyncio.timeout(30):
        await visit.line.broken.wait()
    assert await page.evaluate("found.end") is None
    visit.line.mend()
    await page.wait_for_function("found.end !== null", timeout=60_000)
    found = await page.evaluate("found")
    assert (found["end"], found["failures"]) == ("success", [])
    assert len([sent for sent in found["progress"] if 0 < sent < SIZE]) > 1
    assert found["progress"][-1] == SIZE
    assert visit.preflights() == {"POST", "PATCH"}  # The one for PATCH does for HEAD too.
    # How much of the second piece had come where it ends depends on how busy that is.
    first, second, resumed, *others = visit.offsets()
    assert (first, second) == (0, CHUNK)
    assert CHUNK <= resumed < 2 * CHUNK
    assert others == list(range(resumed + CHUNK, SIZE, CHUNK))
    assert visit.methods()[-len(others) - 2 :] == ["HEAD", "PATCH", *["PATCH"] * len(others)]
    upload = body(client.http.get(found["url"].removeprefix(visit.line.url)))
    assert_is(client.media(upload["mediaId"]), film, client)


@pytest.mark.timeout(120)
async def test_a_page_sends_pieces_and_reads_how_far_they_got(
    stack: Stack, client: Client, visit: Visit, film: bytes
) -> None:
    what = {"uploads": f"{visit.line.url}/v1/uploads", "key": stack.api_key, "size": SIZE, "cut": CHUNK}
    found = await visit.page.evaluate(PIECES, what)
    assert found["told"] == [
        {"status": 308, "range": f"bytes=0-{CHUNK - 1}", "offset": str(CHUNK), "request": True},
        {"status": 200, "range": None, "offset": None, "request": True},
    ]
    assert visit.preflights() == {"POST", "PUT"}
    assert_is(found["item"], film, client)


async def test_a_page_sends_a_form(stack: Stack, client: Client, host: Site, visit: Visit) -> None:
    found = await visit.page.evaluate(FORM, {"url": f"{visit.line.url}/v1/media", "key": stack.api_key})
    assert (found["status"], found["location"]) == (201, f"/v1/media/{found['item']['id']}")
    assert visit.preflights() == {"POST"}
    _, photo = host.pages["/photo"]
    assert_is(found["item"], photo, client)


async def test_without_a_key_a_page_reads_the_refusal(stack: Stack, visit: Visit) -> None:
    found = await visit.page.evaluate(FORM, {"url": f"{visit.line.url}/v1/media", "key": f"{stack.api_key}x"})
    assert (found["status"], found["item"]["error"]["code"]) == (401, "unauthorized")
