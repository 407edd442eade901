"""Files that are two things at once: what is served of them is one. Files that name other files: none is opened."""

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.hostile import playlists
from tests.hostile.attacker import Attacker, served
from tests.hostile.canaries import Canaries
from tests.hostile.polyglots import IMPOSTORS, MARKER, POLYGLOTS
from tests.hostile.samples import moving, sample

# RFC 9110 names for what a viewer must be told, and cannot be told otherwise.
HARMLESS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
}
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A2-{one}") for one in POLYGLOTS])
def test_nothing_of_a_second_file_is_served_with_the_first(attacker: Attacker, name: str) -> None:
    polyglot = POLYGLOTS[name]
    data = polyglot.make()
    assert MARKER in data
    media = attacker.stores(data, polyglot.name)
    for url, answer in served(media).items():
        assert MARKER not in answer.content, url
        assert not url.endswith(tuple(f".{ending}" for ending in ("html", "js", "php", "exe", "pdf", "mp3")))
    assert "as_is" not in {variant["how"] for variant in media["variants"]}


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A2-{one}") for one in IMPOSTORS])
def test_another_types_structure_is_not_taken(attacker: Attacker, name: str) -> None:
    polyglot = IMPOSTORS[name]
    outcome = attacker.sends(polyglot.make(), polyglot.name)
    assert (outcome.status, outcome.code) in {(415, "media_type_unsupported"), (422, "media_corrupt")}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(sample("image/jpeg"), id="A3-jpeg"),
        pytest.param(sample("image/png"), id="A3-png"),
        pytest.param(sample("image/avif"), id="A3-avif"),
        pytest.param(moving("GIF"), id="A3-gif"),
        pytest.param(sample("video/mp4"), id="A3-mp4"),
        pytest.param(sample("video/webm"), id="A3-webm"),
    ],
)
def test_every_address_tells_a_viewer_to_run_nothing(attacker: Attacker, data: bytes) -> None:
    media = attacker.stores(data)
    told = {variant["url"]: variant["contentType"] for variant in media["variants"] if variant["url"]}
    for url, answer in served(media).items():
        assert HARMLESS.items() <= dict(answer.headers).items(), url
        # Shown in a page or saved, as the viewer likes: the type is exact, and no name of ours or theirs is told.
        assert "content-disposition" not in answer.headers
        assert "set-cookie" not in answer.headers
        content_type = answer.headers["content-type"]
        assert content_type == told.get(url, content_type)
        if content_type in FORMATS:
            with Image.open(io.BytesIO(answer.content)) as picture:
                assert picture.format == FORMATS[content_type]
        else:
            assert content_type == "video/mp4"
            assert answer.content[4:8] == b"ftyp"
        refused = httpx.get(url, params={"response-content-type": "text/html"}, trust_env=False)
        assert refused.status_code == 404


def test_a3_the_owners_source_is_an_attachment(attacker: Attacker) -> None:
    polyglot = POLYGLOTS["jpeg-html-comment"]
    media = attacker.stores(polyglot.make(), "a.html")
    answer = attacker.client.http.get(f"/v1/media/{media['id']}/source")
    assert answer.headers["content-disposition"].startswith('attachment; filename="a.html"')
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture(scope="module")
def canaries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canaries]:
    """Where the user that all stages run as could reach them."""
    with Canaries(tmp_path_factory.mktemp("canaries")) as found:
        yield found


def test_the_canaries_sing(canaries: Canaries) -> None:
    httpx.get(f"{canaries.url}/a", trust_env=False)
    Path(canaries.path).read_bytes()
    assert canaries.touched() == ["/a", "opened"]


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A5-{one}") for one in playlists.texts("", "")])
def test_a_text_that_names_other_files_opens_none(attacker: Attacker, canaries: Canaries, name: str) -> None:
    text = playlists.texts(canaries.url, canaries.path)[name]
    for filename in ("a.mp4", "a.m3u8", "a.ts"):
        outcome = attacker.sends(text, filename)
        assert (outcome.status, outcome.code) == (415, "media_type_unsupported")
    outcome = attacker.sends(playlists.behind_a_beginning(text), "a.mp4")
    assert (outcome.status, outcome.code) == (422, "media_corrupt")
    assert canaries.touched() == []


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A5-mov-{one}") for one in playlists.references("", "")])
def test_a_film_that_says_its_frames_are_elsewhere_opens_nothing(
    attacker: Attacker, canaries: Canaries, name: str
) -> None:
    outcome = attacker.sends(playlists.film_elsewhere(playlists.references(canaries.url, canaries.path)[name]), "a.mov")
    assert outcome.code in ("", "media_corrupt")
    assert canaries.touched() == []
