"""Files under false names, and files of other types: the first bytes decide, whatever is said of them."""

import httpx
import pytest

from deploy.local.stack import Stack
from tests.hostile import foreign
from tests.hostile.attacker import Attacker
from tests.hostile.brands import SWAPPED
from tests.hostile.samples import CONTENT_TYPES, moving, sample

NAMES_AND_TYPES = (
    ("a.exe", "image/png"),
    ("a.html", "video/mp4"),
    ("a.svg", "image/svg+xml; charset=utf-7"),
    ("a.php.png", "application/x-msdownload"),
    ("a", "text/html"),
)
UNSUPPORTED = (415, "media_type_unsupported")


@pytest.mark.parametrize("content_type", [pytest.param(one, id=f"A1-A10-{one}") for one in CONTENT_TYPES])
def test_a_file_is_what_its_first_bytes_say_whatever_is_declared(attacker: Attacker, content_type: str) -> None:
    data, found = sample(content_type), set()
    for name, declared in NAMES_AND_TYPES:
        form = {"file": (name, data, declared)}
        answer = attacker.client.http.post("/v1/media", files=form, headers={"Prefer": "wait=0"})
        assert answer.status_code == 201, answer.text
        media = answer.json()
        found.add((media["contentType"], media["kind"], media["sizeBytes"]))
    assert found == {(content_type, content_type.partition("/")[0], len(data))}


@pytest.mark.parametrize("content_type", [pytest.param(one, id=f"A1-{one}") for one in CONTENT_TYPES])
def test_what_is_called_the_other_kind_is_refused(attacker: Attacker, content_type: str) -> None:
    other = "video" if content_type.startswith("image/") else "image"
    outcome = attacker.sends(sample(content_type), kind=other)
    assert (outcome.status, outcome.code) == (422, "media_type_mismatch")


FOREIGN = [
    *[pytest.param(lambda data=data: data, id=f"A4-{name}") for name, data in foreign.XML.items()],
    *[pytest.param(make, id=f"A11-{name}") for name, make in foreign.PROGRAMS.items()],
    *[pytest.param(make, id=f"A11-{name}") for name, make in foreign.OTHER_MEDIA.items()],
    *[pytest.param(make, id=f"B5-{name}") for name, make in foreign.PICTURES.items()],
    *[pytest.param(make, id=f"B10-{name}") for name, make in foreign.BOMBS.items()],
]


@pytest.mark.parametrize("make", FOREIGN)
def test_another_type_is_not_taken_under_any_name(attacker: Attacker, make: foreign.Make) -> None:
    outcomes = [attacker.sends(make(), name) for name in ("a.jpg", "a.mp4")]
    assert {(outcome.status, outcome.code) for outcome in outcomes} == {UNSUPPORTED}


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_b10_a_compressed_body_is_not_unpacked(attacker: Attacker, encoding: str) -> None:
    headers = {"content-type": "multipart/form-data; boundary=b", "content-encoding": encoding}
    answer = attacker.client.http.post("/v1/media", content=foreign.gzip_bomb(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "content_encoding_unsupported")


@pytest.mark.parametrize(
    ("data", "expected"), [pytest.param(*those, id=f"A6-{name}") for name, those in SWAPPED.items()]
)
def test_a_brand_does_not_make_a_picture_a_film_or_a_film_a_picture(
    attacker: Attacker, data: bytes, expected: set[tuple[int, str]]
) -> None:
    outcome = attacker.sends(data, "a.mp4")
    assert (outcome.status, outcome.code) in expected


def test_a6_an_animated_avif_is_a_picture(attacker: Attacker) -> None:
    media = attacker.stores(moving("AVIF"), "a.mp4")
    assert (media["kind"], media["contentType"]) == ("image", "image/avif")
    assert {variant["contentType"] for variant in media["variants"] if variant["url"]} == {"image/jpeg"}


BODY = b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n%b\r\n--XyZ--\r\n'
GOOD_TYPES = {
    "case": "MULTIPART/Form-Data; BOUNDARY=XyZ",
    "another parameter": "multipart/form-data; charset=utf-8; boundary=XyZ",
    "quoted": 'multipart/form-data; boundary="XyZ"',
}
BAD_TYPES = {
    "empty": "",
    "no boundary": "multipart/form-data",
    "an empty boundary": "multipart/form-data; boundary=",
    "two boundaries": "multipart/form-data; boundary=XyZ; boundary=Abc",
    "a long boundary": "multipart/form-data; boundary=" + "x" * 300,
    "a list": "text/html, multipart/form-data; boundary=XyZ",
    "no semicolon": "multipart/form-data boundary=XyZ",
    "an open quote": 'multipart/form-data; boundary="XyZ',
    "not latin": "multipart/form-data; boundary=\N{LATIN SMALL LETTER E WITH ACUTE}",
    "half a type": "multipart/; boundary=XyZ",
    "another multipart": "multipart/mixed; boundary=XyZ",
    "a picture": "image/jpeg",
    "a plain form": "application/x-www-form-urlencoded",
    "20 kB": "multipart/form-data; boundary=XyZ; x=" + "y" * 20_000,
}


def send_as(attacker: Attacker, content_type: str) -> httpx.Response:
    headers = {b"content-type": content_type.encode(), b"prefer": b"wait=0"}
    return attacker.client.http.post("/v1/media", content=BODY % sample("image/jpeg"), headers=headers)


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A7-{one}") for one in GOOD_TYPES])
def test_a_content_type_may_be_written_in_many_ways(attacker: Attacker, name: str) -> None:
    assert send_as(attacker, GOOD_TYPES[name]).status_code == 201


@pytest.mark.parametrize("name", [pytest.param(one, id=f"A7-{one}") for one in BAD_TYPES])
def test_a_content_type_that_is_none_of_ours_is_refused(attacker: Attacker, name: str) -> None:
    answer = send_as(attacker, BAD_TYPES[name])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_type_invalid")


def test_a7_a_content_type_of_64_kb_ends_at_the_edge(stack: Stack) -> None:
    headers = {"content-type": "multipart/form-data; boundary=XyZ; x=" + "y" * 65_536}
    assert httpx.post(f"{stack.url}/v1/media", content=b"", headers=headers, trust_env=False).status_code == 431


def test_a8_a_file_of_nothing_is_refused(attacker: Attacker) -> None:
    outcome = attacker.sends(b"", "a.jpg")
    assert (outcome.status, outcome.code) == (422, "media_empty")
