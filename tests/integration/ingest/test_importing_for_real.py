"""Imports from servers that behave in every way, on real sockets and real stores; rows R1 and R2."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.common import guarded_http
from services.common.errors import Code, MediaError
from services.ingest.adapters.remote import FETCH_LIMIT_BYTES, Patience, RemoteFiles
from services.ingest.app.importing import Import
from services.ingest.domain.formats import IMAGE_LIMIT_BYTES
from services.ingest.domain.media import Media, State
from services.ingest.ports import Ref
from tests.integration.ingest.conftest import CALLER, Stage, error_of
from tests.integration.ingest.detour import Detour, certified, guarded
from tests.integration.ingest.elsewhere import Canary, Elsewhere, canary, elsewhere
from tests.media import film, padded

PATIENCE = Patience(first_byte_s=1.0, gap_s=0.7, total_s=2.0)
PUBLIC = "93.184.215.14"


@dataclass
class Place:
    """A stage that may fetch from one server on this machine, and what must never be reached."""

    stage: Stage
    server: Elsewhere
    trap: Canary

    async def fetch(self, path: str) -> Media:
        return await self.stage.ingest.importing.fetch(CALLER, Import(url=self.server.url + path))

    async def refusal(self, path: str) -> MediaError:
        error = await error_of(self.fetch(path))
        assert self.stage.stored_nothing()
        assert self.stage.sql("SELECT count(*) FROM ingest.media") == [(0,)]
        return error


@pytest.fixture
async def place(stage: Stage) -> AsyncIterator[Place]:
    async with (
        canary() as trap,
        elsewhere() as server,
        guarded_http.connect(trusted=[server.url], max_answer_bytes=FETCH_LIMIT_BYTES) as client,
    ):
        server.inside = f"http://127.0.0.1:{trap.port}/"
        yield Place(stage.rebuilt(remote=RemoteFiles(client, PATIENCE)), server, trap)
        assert trap.connections == 0


@pytest.mark.parametrize("path", ["/photo?sig=1", "/hop/1", "/hop/3", "/named", "/typed"])
async def test_what_arrives_is_the_file_and_is_judged_like_an_upload(place: Place, path: str) -> None:
    media = await place.fetch(path)
    assert media.filename == {"/photo?sig=1": "photo", "/hop/1": "1", "/hop/3": "3", "/typed": "typed"}.get(
        path, "Straße.jpg"
    )
    assert (media.content_type, media.size_bytes) == ("image/jpeg", len(place.server.photo))
    ref = Ref(media.workspace_id, media.media_id)
    await place.stage.ingest.judging.judge(ref)
    assert (await place.stage.media(ref)).state is State.PROCESSING


UNREACHABLE = {
    "missing": "answered 404", "down": "answered 500", "partial": "answered 206", "nowhere": "answered 302",
    "loop": "redirected more than 3 times", "hop/4": "redirected more than 3 times", "bomb": "compressed",
    "slow": "too long", "hang": "too long", "drip": "too long",
    "long": "broke off", "cut": "broke off", "garbage": "not HTTP", "headers": "not HTTP",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "reason"), [pytest.param(path, reason, id=f"R2-{path}") for path, reason in UNREACHABLE.items()]
)
async def test_a_server_that_gives_no_file_leaves_nothing(place: Place, path: str, reason: str) -> None:
    began = asyncio.get_running_loop().time()
    error = await place.refusal(f"/{path}")
    assert error.code is Code.MEDIA_URL_UNREACHABLE
    assert reason in error.message
    assert asyncio.get_running_loop().time() - began < 15


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("/page", Code.MEDIA_TYPE_UNSUPPORTED, id="R2-page"),
        pytest.param("/empty", Code.MEDIA_EMPTY, id="R2-empty"),
        pytest.param("/endless", Code.MEDIA_TOO_LARGE, id="R2-endless"),
        pytest.param("/inside", Code.MEDIA_URL_NOT_ALLOWED, id="R2-inside"),
    ],
)
async def test_a_file_that_would_not_be_taken_as_an_upload_is_refused_the_same(
    place: Place, path: str, code: Code
) -> None:
    assert (await place.refusal(path)).code is code


async def test_r2_no_more_is_read_than_the_type_allows(place: Place) -> None:
    await place.refusal("/endless")
    held_by_sockets = 16 << 20  # Linux grows their buffers up to some megabytes
    assert place.server.sent_bytes < IMAGE_LIMIT_BYTES + held_by_sockets


async def test_r2_a_body_shorter_than_sent_is_cut_where_its_length_says_and_found_damaged(place: Place) -> None:
    media = await place.fetch("/short")
    assert media.size_bytes == len(place.server.photo) // 2
    ref = Ref(media.workspace_id, media.media_id)
    await place.stage.ingest.judging.judge(ref)
    assert (await place.stage.media(ref)).state is State.REJECTED


async def test_a_video_as_large_as_an_upload_may_be_is_taken_and_a_byte_more_is_not(place: Place) -> None:
    async with guarded_http.connect(trusted=[place.server.url], max_answer_bytes=FETCH_LIMIT_BYTES) as client:
        place = replace(place, stage=place.stage.rebuilt(remote=RemoteFiles(client)))
        place.server.photo = padded(film(), 100_000_000)
        assert (await place.fetch("/photo")).size_bytes == 100_000_000
        place.server.photo += b"\0"
        error = await error_of(place.fetch("/photo"))
    assert (error.code, error.details["limit"]) == (Code.MEDIA_TOO_LARGE, 100_000_000)


async def test_nothing_of_this_machine_is_fetched_unless_its_origin_is_named(place: Place, stage: Stage) -> None:
    for url in (f"{place.server.url}/photo", f"https://127.0.0.1:{place.server.port}/photo", "https://127.0.0.1/photo"):
        error = await error_of(stage.ingest.importing.fetch(CALLER, Import(url=url)))
        assert error.code is Code.MEDIA_URL_NOT_ALLOWED
    assert place.server.asked == []


HOSTS = (
    # Loopback, in every spelling a resolver takes.
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "0x7f.0x0.0x0.0x1",
    "2130706433", "017700000001", "0177.0.0.1", "0177.0.0.01", "0", "0.0.0.0", "0x0",  # noqa: S104
    "127.000.000.001", "127.0.0.0x1",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    # Private, shared, link-local and metadata networks.
    "10.0.0.1", "10.255.255.255", "167772161", "0xa000001", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1",
    "100.64.0.1", "100.100.100.200", "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "169.254.170.2", "168.63.129.16", "192.0.0.192", "198.18.0.1",
    "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fd00:ec2::254]", "[fe80::1]",
    "[fc00::1]", "[fec0::1]",
    # Nobody's, everybody's.
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1",
    "[ff02::1]", "[2001:db8::1]", "[100::1]",
    # Names.
    "localhost", "LOCALHOST", "localhost.", "inside.example", "both.example", "mapped.example", "zone.example",
)  # fmt: skip

TEXTS = (
    "http://public.example/", "http://public.example:443/", "https://public.example:22/", "https://public.example:80/",
    "https://public.example:8443/", "https://public.example:0/", "https://public.example:65536/", "ftp://public.example/",
    "https://user@public.example/", "https://user:pass@public.example/", "https://:@public.example/",
    "https://public.example@127.0.0.1/", "https://127.0.0.1@public.example/", "https://public.example\\@127.0.0.1/",
    "https:///a.jpg", "https:/127.0.0.1/", "https:127.0.0.1", "//127.0.0.1/", "127.0.0.1", "/etc/passwd",
    "file:///etc/passwd", "file://127.0.0.1/etc/passwd", "gopher://127.0.0.1:6379/_x", "dict://127.0.0.1:11211/stats",
    "data:image/png;base64,AAAA", "unix:///run/x.sock", "jar:https://public.example!/a", "javascript:alert(1)",
    "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://１２７.0.0.1/", "https://ⓛocalhost/",
    "https://[::1/", "https://public.example\r\nHost: a/", "https://\x00/",
    "https://public.example:443:22/", " https://127.0.0.1/", "", "https://", "https://?@/",
)  # fmt: skip

ZONES = ("https://[fe80::1%25lo]/", "https://[::1%lo]/")
NAMES = {
    "public.example": [PUBLIC],
    "inside.example": ["10.1.2.3"],
    "both.example": [PUBLIC, "192.168.1.1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "zone.example": ["fe80::1%lo"],
    "localhost": ["127.0.0.1", "::1"],
}
URLS = [*(f"https://{host}/a.jpg" for host in HOSTS), *TEXTS]


async def known_names(host: str, port: int) -> Sequence[str]:
    """Those of NAMES; any spelling of an address as the system's own resolver reads it."""
    named = NAMES.get(host.lower().rstrip("."))
    if named is not None:
        return named
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(entry[4][0]) for entry in found]


async def outcome(files: RemoteFiles, url: str) -> Code | None:
    """What is said of a URL; None if it opens."""
    try:
        async with files.open(url):
            return None
    except MediaError as error:
        return error.code


async def test_r1_no_spelling_of_an_address_inside_is_connected_to() -> None:
    async with canary() as trap:
        detour = Detour({}, trap.port)
        async with guarded(detour, known_names) as client:
            files = RemoteFiles(client, PATIENCE)
            said = {url: await outcome(files, url) for url in URLS}
            assert (trap.connections, detour.addresses) == (0, [])
            assert {url: code for url, code in said.items() if code is not Code.MEDIA_URL_NOT_ALLOWED} == {}
            for url in ZONES:
                assert await outcome(files, url) is Code.MEDIA_URL_UNREACHABLE  # no resolver takes it
            assert trap.connections == 0
            # The trap would have told: a public address does reach it, and finds no TLS there.
            assert await outcome(files, "https://public.example/a.jpg") is Code.MEDIA_URL_UNREACHABLE
            assert (trap.connections, detour.addresses) == (1, [(PUBLIC, 443)])


async def test_r1_a_name_that_is_public_at_first_and_private_then_is_not_followed_inside(tmp_path: Path) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    server_tls, client_tls = certified("files.example", tmp_path)
    async with canary() as trap, elsewhere(server_tls) as server:
        detour = Detour({PUBLIC: server.port}, trap.port)
        async with guarded(detour, rebinding, client_tls) as client:
            said = await outcome(RemoteFiles(client, PATIENCE), "https://files.example/hop/1")
        assert (said, trap.connections) == (Code.MEDIA_URL_NOT_ALLOWED, 0)
        assert server.asked == [("/hop/1", "files.example")]
        assert detour.addresses == [(PUBLIC, 443)]


async def test_r1_the_checked_address_is_asked_by_name_and_must_prove_it(stage: Stage, tmp_path: Path) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return [PUBLIC]

    server_tls, client_tls = certified("files.example", tmp_path)
    async with elsewhere(server_tls) as server:
        detour = Detour({PUBLIC: server.port}, otherwise=0)
        async with guarded(detour, resolve, client_tls) as client:
            files = RemoteFiles(client, PATIENCE)
            importing = stage.rebuilt(remote=files).ingest.importing
            media = await importing.fetch(CALLER, Import(url="https://files.example/photo"))
            assert media.size_bytes == len(server.photo)
            assert (server.names, server.asked) == (["files.example"], [("/photo", "files.example")])
            assert await outcome(files, "https://other.example/photo") is Code.MEDIA_URL_UNREACHABLE
            assert len(server.asked) == 1
