"""A3: files that a browser could take for a page or a script are uploaded, and everything served of them is opened.

Each of them runs where it is served carelessly: that is seen first, or the rest would prove nothing.
"""

import io
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Dialog, Error, Page

from deploy.local.stack import Stack
from tests import media
from tests.e2e.browser import Site, site
from tests.e2e.client import Client, Json

SETTLE_MS = 250


def html(canary: str) -> bytes:
    """Runs by every way a page can."""
    script = f"window.ran=1;fetch('{canary}/script');alert('{canary}')"
    return (
        f"<html><body onload=\"window.ran=1\"><script>{script}</script><img src='{canary}/image'>"
        f"<iframe src='{canary}/frame'></iframe><svg onload=\"window.ran=1\"></svg></body></html>"
    ).encode()


def html_behind_jpeg(canary: str) -> bytes:
    return media.jpeg() + html(canary)


def html_in_jpeg_comment(canary: str) -> bytes:
    buffer = io.BytesIO()
    media.picture().save(buffer, "JPEG", comment=html(canary))
    return buffer.getvalue()


def gif_that_is_javascript(canary: str) -> bytes:
    """A width of 0x2A2F reads as `/*`: all of the picture is a comment, which its own comment ends."""
    code = f"*/=1;window.ran=1;fetch('{canary}/script');alert(1);//".encode()
    buffer = io.BytesIO()
    Image.new("P", (0x2A2F, 1), color=secrets.randbelow(256)).save(buffer, "GIF")
    return buffer.getvalue()[:-1] + b"!\xfe" + bytes((len(code),)) + code + b"\0;"


def html_in_mp4(canary: str) -> bytes:
    page = html(canary)
    return media.film() + (len(page) + 8).to_bytes(4, "big") + b"free" + page


@dataclass(frozen=True, slots=True)
class Disguise:
    """How it is made for a canary's URL; what it calls itself; the type under which it runs."""

    make: Callable[[str], bytes]
    filename: str
    runs_as: str


DISGUISES: Mapping[str, Disguise] = {
    "html-behind-jpeg": Disguise(html_behind_jpeg, "photo.html", "text/html"),
    "html-in-jpeg-comment": Disguise(html_in_jpeg_comment, "photo.jpg", "text/html"),
    "gif-that-is-javascript": Disguise(gif_that_is_javascript, "photo.js", "text/javascript"),
    "html-in-mp4": Disguise(html_in_mp4, "film.html", "text/html"),
}

EMBEDDED = """<!doctype html><title>page</title>
<img src="{url}"><video src="{url}" autoplay muted></video><script src="{url}"></script>
<script type="module" src="{url}"></script><link rel="stylesheet" href="{url}">
<iframe src="{url}"></iframe><object data="{url}"></object><embed src="{url}">"""


@dataclass
class Watch:
    """A page of a browser, and what happened in it that should not."""

    page: Page
    dialogs: list[str] = field(default_factory=list)

    async def open(self, url: str) -> None:
        """Go there, and let happen what may. An answer that is no page to show, as a download, is none of it."""
        try:
            await self.page.goto(url, wait_until="load")
        except Error as error:
            if "Download is starting" not in error.message and "ERR_ABORTED" not in error.message:
                raise
        await self.page.wait_for_timeout(SETTLE_MS)

    async def ran(self) -> list[str]:
        """Frames in which a script ran. This look of ours is not under the page's policy."""
        return [frame.url for frame in self.page.frames if await frame.evaluate("window.ran === 1")]

    async def dismiss(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()


async def watch(context: BrowserContext) -> Watch:
    watched = Watch(await context.new_page())
    watched.page.on("dialog", watched.dismiss)
    return watched


@pytest.fixture
def canary() -> Iterator[Site]:
    """What must never be asked for anything."""
    with site({"access-control-allow-origin": "*"}) as listening:
        yield listening


@pytest.fixture
def host() -> Iterator[Site]:
    """Somebody's page on another origin."""
    with site() as listening:
        yield listening


def served(item: Json) -> list[str]:
    """Every URL the API tells of an item."""
    told = [item["url"], item["posterUrl"], *(variant["url"] for variant in item["variants"])]
    return sorted({url for url in told if url is not None})


@pytest.mark.parametrize("name", [pytest.param(name, id=f"A3-{name}") for name in DISGUISES])
async def test_nothing_served_runs_in_a_browser(
    stack: Stack, client: Client, browser: Browser, canary: Site, host: Site, name: str
) -> None:
    disguise = DISGUISES[name]
    data = disguise.make(canary.url)
    item = client.stored(data, disguise.filename)
    assert item["status"] == "ready", item
    urls = served(item)
    assert len(urls) >= 2

    # As careless hosts would serve it, it runs.
    host.pages["/careless"] = (disguise.runs_as, data)
    host.pages["/page"] = ("text/html", b'<script src="/careless"></script>')
    context = await browser.new_context()
    careless = await watch(context)
    await careless.open(f"{host.url}/{'page' if disguise.runs_as == 'text/javascript' else 'careless'}")
    assert await careless.ran()
    assert careless.dialogs
    assert canary.asked
    canary.asked.clear()
    await context.close()

    # The owner's original bytes are behind a key, which this browser shows with everything.
    source = f"{stack.url}/v1/media/{item['id']}/source"
    context = await browser.new_context(extra_http_headers={"authorization": client.http.headers["authorization"]})
    watched = await watch(context)
    for url in (*urls, source):
        await watched.open(url)
        assert await watched.ran() == [], url
        host.pages["/embedding"] = ("text/html", EMBEDDED.format(url=url).encode())
        await watched.open(f"{host.url}/embedding")
        assert await watched.page.title() == "page"
        assert await watched.ran() == [], url
    await context.close()
    assert (watched.dialogs, canary.asked) == ([], [])


PATHS = ("/docs/errors/", "/v1/media/", "/v1/", "/", "/cdn/", "/cdn/a/b/", "/docs?", "/v1/media?q=")


@pytest.mark.parametrize("path", [pytest.param(path, id=f"A3-{path}") for path in PATHS])
async def test_what_a_path_says_is_no_part_of_a_page(stack: Stack, browser: Browser, canary: Site, path: str) -> None:
    said = f"%3Cscript%3Ewindow.ran=1;alert(1)%3C%2Fscript%3E%3Cimg%20src={canary.url.replace('/', '%2F')}%3E"
    context = await browser.new_context()
    watched = await watch(context)
    await watched.open(f"{stack.url}{path}{said}")
    assert await watched.ran() == []
    await context.close()
    assert (watched.dialogs, canary.asked) == ([], [])
