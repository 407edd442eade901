"""What a URL leads to: the guard, redirects, and how long a server may take."""

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from services.common import guarded_http
from services.common.errors import Code, MediaError
from services.ingest.adapters import remote
from services.ingest.adapters.remote import RemoteFiles
from services.ingest.app.importing import Import, Importing
from services.ingest.domain.formats import Kind
from tests.unit.ingest.world import CALLER, JPEG_HEAD, World


def files(*answers: httpx.Response) -> tuple[RemoteFiles, list[str]]:
    """Files behind a server that gives these answers, and the URLs it was asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[min(len(asked), len(answers)) - 1]

    return RemoteFiles(httpx.AsyncClient(transport=httpx.MockTransport(answer))), asked


def photo(**headers: str) -> httpx.Response:
    return httpx.Response(200, stream=Body(JPEG_HEAD), headers={k.replace("_", "-"): v for k, v in headers.items()})


class Body(httpx.AsyncByteStream):
    """Chunks; an exception among them is raised."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


def moved(to: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": to}, stream=Body())


async def fault(those: RemoteFiles, url: str = "https://example.com/a.jpg") -> MediaError:
    world = World()
    with pytest.raises(MediaError) as caught:
        await Importing(world.uploading, those).fetch(CALLER, Import(url=url))
    assert not world.table.entries, "something of it stayed"
    return caught.value


async def test_an_import_is_an_upload() -> None:
    world = World()
    those, _ = files(photo())
    wanted = Import(url="https://example.com/some/Caf%C3%A9.jpg?sig=1", kind=Kind.IMAGE, alt_text="Coffee.")
    media = await Importing(world.uploading, those).fetch(CALLER, wanted)
    assert (media.filename, media.alt_text, media.size_bytes) == ("Café.jpg", "Coffee.", len(JPEG_HEAD))


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="beach.jpg"', "beach.jpg"), ("inline; filename*=UTF-8''%e2%98%83.jpg", "☃.jpg"),
        ('attachment; filename="../../etc/passwd"', "passwd"), ("inline", "a.jpg"), ("nonsense;;=", "a.jpg"),
        ("attachment; filename=plain.jpg", "plain.jpg"), (r'inline; filename="a \"b\"; c.jpg"', 'a "b"; c.jpg'),
        ("inline; filename=fallback.jpg; filename*=utf-8'en'caf%C3%A9.jpg", "café.jpg"),
        ("inline; filename*=utf-8''..%2F%00%E2%80%AEgpj.exe", "gpj.exe"), ("; filename*=punycode''%ff", "a.jpg"),
        ("inline; filename*=utf-8''%FF%FE", "��"), ("inline; filename*0*=UTF-8''a; filename*=?", "a.jpg"),
    ],
)  # fmt: skip
async def test_the_server_may_name_the_file(header: str, name: str) -> None:
    world = World()
    those, _ = files(photo(content_disposition=header))
    media = await Importing(world.uploading, those).fetch(CALLER, Import(url="https://example.com/a.jpg"))
    assert media.filename == name


async def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    hops = [moved("/b"), moved("https://cdn.example.com/c"), moved("//x.example.com/d")]
    those, asked = files(*hops, photo())
    async with those.open("https://example.com/a"):
        assert asked[1:] == ["https://example.com/b", "https://cdn.example.com/c", "https://x.example.com/d"]
    those, asked = files(moved("/again"))
    assert (await fault(those)).code is Code.MEDIA_URL_UNREACHABLE
    assert len(asked) == 1 + remote.MAX_REDIRECTS


@pytest.mark.parametrize("to", ["https:////=:]", "mailto:a@b.example"])
async def test_a_redirect_to_what_is_no_url_leads_nowhere(to: str) -> None:
    those, asked = files(moved(to))
    assert (await fault(those)).code is Code.MEDIA_URL_UNREACHABLE
    assert len(asked) == 1


@pytest.mark.parametrize("status", [204, 206, 304, 401, 403, 404, 500, 503])
async def test_only_200_is_a_file(status: int) -> None:
    those, _ = files(httpx.Response(status, stream=Body(JPEG_HEAD)))
    assert (await fault(those)).code is Code.MEDIA_URL_UNREACHABLE


async def test_a_body_that_breaks_off_leaves_nothing() -> None:
    those, _ = files(httpx.Response(200, stream=Body(JPEG_HEAD, httpx.RemoteProtocolError("cut off"))))
    assert (await fault(those)).code is Code.MEDIA_URL_UNREACHABLE


async def test_what_is_too_large_for_its_type_is_told_as_of_an_upload() -> None:
    those, _ = files(httpx.Response(200, stream=Body(JPEG_HEAD, *[bytes(1 << 20)] * 8)))
    assert (await fault(those)).code is Code.MEDIA_TOO_LARGE


async def test_a_page_is_no_photo() -> None:
    those, _ = files(httpx.Response(200, stream=Body(b"<!doctype html>" * 400)))
    assert (await fault(those)).code is Code.MEDIA_TYPE_UNSUPPORTED


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "/a.jpg", "http://example.com/a.jpg", "ftp://example.com/a.jpg", "file:///etc/passwd", "data:,x",
        "https://user@example.com/", "https://u:p@example.com/", "https://example.com:8443/", "https://\x00/",
        "https://xn--a.example/", "https://xn--/",
        "gopher://example.com/", "https://example.com:22/", "https:///a.jpg", "https://" + "a" * 5000,
    ],
)  # fmt: skip
async def test_what_the_url_itself_shows_is_told(url: str) -> None:
    async with guarded_http.connect(resolve=unexpected) as client:
        error = await fault(RemoteFiles(client), url)
    assert error.code is Code.MEDIA_URL_NOT_ALLOWED
    assert [violation.field for violation in error.violations] == ["url"]


async def test_a_name_that_leads_inside_is_refused_and_the_address_is_not_told() -> None:
    async def inside(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "10.1.2.3"]

    async with guarded_http.connect(resolve=inside) as client:
        error = await fault(RemoteFiles(client))
    assert error.code is Code.MEDIA_URL_NOT_ALLOWED
    assert "10.1.2.3" not in f"{error.message}{error.details}{error.violations}"


async def test_a_name_without_an_address_is_not_reached() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    async with guarded_http.connect(resolve=nowhere) as client:
        assert (await fault(RemoteFiles(client))).code is Code.MEDIA_URL_UNREACHABLE


async def unexpected(host: str, port: int) -> Sequence[str]:
    raise AssertionError("it was resolved")
