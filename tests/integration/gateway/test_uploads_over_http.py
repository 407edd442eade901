"""Forms through the whole way in: what is well-formed is stored once, of all else nothing stays."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.s3 import ACTIVE, QUARANTINE, S3
from services.gateway.upload import MAX_FILE_BYTES
from tests.integration.gateway.conftest import Service, Workspace, done, refused
from tests.media import film, infected_jpeg, infected_mp4, jpeg, padded

BOUNDARY = "XyZ"
END = b"\r\n--XyZ--\r\n"
MIB = 1 << 20


def head(name: str, *more: str, filename: str | None = "a.jpg") -> bytes:
    """A delimiter and a part's headers."""
    told = f'; filename="{filename}"' if filename is not None else ""
    lines = [f'Content-Disposition: form-data; name="{name}"{told}', *more]
    return "\r\n".join(["", "--XyZ", *lines, "", ""]).encode()


def send(customer: Workspace, body: bytes | Iterator[bytes], boundary: str = BOUNDARY) -> httpx.Response:
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return customer.http.post("/v1/media", content=body, headers=headers)


class Flood:
    """A form without end; `taken` counts what the server read of it, or what lies in buffers on its way there."""

    def __init__(self, start: bytes, piece: bytes, pieces: int, end: bytes = END) -> None:
        self._parts = start, piece, pieces, end
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        start, piece, pieces, end = self._parts
        for part in (start, *[piece] * pieces, end):
            yield part
            self.taken += len(part)


@pytest.fixture(scope="module")
def customer(service: Service) -> Iterator[Workspace]:
    """Who stores what is well-formed."""
    with service.customer() as found:
        yield found


@pytest.fixture(scope="module")
def empty(service: Service) -> Iterator[Workspace]:
    """Of whom nothing is ever stored."""
    with service.customer() as found:
        yield found


@pytest.fixture
def nothing_stays(empty: Workspace, s3: S3) -> Iterator[None]:
    """Soon afterwards no item is listed, and the quarantine is as empty as it was."""
    before = keys(s3, QUARANTINE)
    yield
    ends = time.monotonic() + 20
    while rest := _rest(empty, s3, before):
        assert time.monotonic() < ends, rest
        time.sleep(0.1)


def _rest(customer: Workspace, s3: S3, before: set[str]) -> list[object]:
    unfinished = s3.client().list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", [])
    listed = done(customer.http.get("/v1/media"))["data"]
    return [*listed, *(keys(s3, QUARANTINE) - before), *unfinished]


def keys(s3: S3, bucket: str) -> set[str]:
    return {item["Key"] for item in s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])}


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def test_a_photo_is_stored_and_described(customer: Workspace) -> None:
    photo = jpeg(640, 480)
    media = customer.media(photo, altText="Noise.", kind="image")
    assert (media["status"], media["kind"], media["altText"]) == ("ready", "image", "Noise.")
    assert (media["width"], media["height"], media["sizeBytes"]) == (640, 480, len(photo))
    assert media["fit"]["bluesky"]["ok"] is True


@pytest.mark.parametrize(
    "order", [("kind", "altText", "file"), ("file", "kind", "altText"), ("altText", "file", "kind")]
)
def test_parts_come_in_any_order(customer: Workspace, order: tuple[str, ...]) -> None:
    contents = {"kind": b"image", "altText": "Größe.".encode(), "file": jpeg()}
    parts = [head(name, filename="a.jpg" if name == "file" else None) + contents[name] for name in order]
    media = done(send(customer, b"".join(parts) + END))
    assert (media["kind"], media["altText"], media["filename"]) == ("image", "Größe.", "a.jpg")


PHOTO = head("file") + jpeg()
MALFORMED = {
    "nothing": (b"", "multipart_malformed"),
    "no final boundary": (PHOTO, "multipart_malformed"),
    "half a final boundary": (PHOTO + b"\r\n--XyZ", "multipart_malformed"),
    "bare line feeds": ((PHOTO + END).replace(b"\r\n", b"\n"), "multipart_malformed"),
    "another boundary": ((PHOTO + END).replace(b"XyZ", b"Abc"), "multipart_malformed"),
    "a long preamble": (b"p" * 5000 + PHOTO + END, "multipart_malformed"),
    "a long epilogue": (PHOTO + END + b"e" * 5000, "multipart_malformed"),
    "a folded header": (head("file", "X-A: b\r\n c") + END, "multipart_malformed"),
    "a lone carriage return": (head("file", "X-A: b\rX-B: c") + END, "multipart_malformed"),
    "a NUL in a header": (head("file", "X-A: \0") + END, "multipart_malformed"),
    "two dispositions": (head("file", 'Content-Disposition: form-data; name="kind"') + END, "multipart_malformed"),
    "two names": (head('file"; name="kind') + END, "multipart_malformed"),
    "no name": (b'\r\n--XyZ\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx' + END, "multipart_malformed"),
    "a transfer encoding": (head("file", "Content-Transfer-Encoding: base64") + b"/9j/" + END, "multipart_malformed"),
    "10,000 headers": (head("file", *(f"X-{n}: y" for n in range(10_000))) + END, "headers_too_large"),
    "a header of 1 MB": (head("file", "X-A: " + "y" * MIB) + END, "headers_too_large"),
    "10,000 parts": (head("x", filename=None) * 10_000 + END, "invalid_request"),
    "two files": (PHOTO + PHOTO + END, "invalid_request"),
    "an unknown part": (PHOTO + head("title", filename=None) + b"x" + END, "invalid_request"),
    "an unknown kind": (PHOTO + head("kind", filename=None) + b"IMAGE" + END, "invalid_request"),
    "a text that is not UTF-8": (PHOTO + head("altText", filename=None) + b"\xff" + END, "invalid_request"),
    "a text too long": (PHOTO + head("altText", filename=None) + b"x" * 2001 + END, "invalid_request"),
    "no file": (head("kind", filename=None) + b"image" + END, "media_missing_file"),
}


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize("name", [pytest.param(name, id=f"P7-{name}") for name in MALFORMED])
def test_a_form_that_is_none_is_refused(empty: Workspace, name: str) -> None:
    body, code = MALFORMED[name]
    answer = send(empty, body)
    assert answer.json()["error"]["code"] == code, answer.text


REFUSED = {
    "empty": (b"", "", (422, "media_empty")),
    "a form": (b"--a\r\nContent-Disposition: form-data; name=b\r\n\r\nc\r\n--a--", "", (415, "media_type_unsupported")),
    "a program": (b"MZ" + bytes(2000), "image", (415, "media_type_unsupported")),
    "a drawing with a script": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "", (415, "media_type_unsupported")),
    "half a photo": (jpeg(640, 480)[:9000], "", (422, "media_corrupt")),
    "not what it is called": (jpeg(), "video", (422, "media_type_mismatch")),
    "infected photo": (infected_jpeg(), "", (422, "media_rejected_security")),
    "infected film": (infected_mp4(), "video", (422, "media_rejected_security")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_taken_never_gets_to_the_public(customer: Workspace, s3: S3, name: str) -> None:
    data, kind, expected = REFUSED[name]
    before = keys(s3, ACTIVE)
    answer = customer.http.post("/v1/media", files={"file": ("a.jpg", data)}, data={"kind": kind} if kind else {})
    assert refused(answer) == expected, answer.text
    if expected[1] == "media_rejected_security":
        assert answer.json()["error"]["details"]["reason"] == "infected"
        assert "ClamAV-Test-File" in answer.json()["error"]["details"]["threat"]
    assert keys(s3, ACTIVE) == before


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize(
    ("start", "piece", "code", "most_bytes"),
    [
        (b"", b"p" * MIB, "multipart_malformed", 32 * MIB),
        (PHOTO + END, b"e" * MIB, "multipart_malformed", 32 * MIB),
        (head("altText", filename=None), b"x" * MIB, "invalid_request", 32 * MIB),
        (PHOTO, bytes(MIB), "media_too_large", 40 * MIB),
        (head("file", filename="a.mp4") + padded(film(), MIB), bytes(MIB), "media_too_large", 140 * MIB),
    ],
    ids=["P7-preamble", "P7-epilogue", "P7-field", "P2-image", "P2-video"],
)
def test_a_flood_is_cut_off_and_costs_no_memory(
    service: Service, empty: Workspace, start: bytes, piece: bytes, code: str, most_bytes: int
) -> None:
    gateway = service.stack.pids["gateway"]
    before = resident_bytes(gateway)
    flood = Flood(start, piece, 400)
    answer = send(empty, iter(flood))
    assert answer.json()["error"]["code"] == code, answer.text
    assert answer.headers["connection"] == "close"
    assert flood.taken < most_bytes
    assert resident_bytes(gateway) - before < 16 * MIB
    if code == "media_too_large":
        limit = answer.json()["error"]["details"]["limit"]
        assert limit in (8_000_000, MAX_FILE_BYTES)
        assert taken_bytes(service, answer.headers["x-request-id"]) <= limit + MIB


def taken_bytes(service: Service, request_id: str) -> int:
    """How much of that request's body the gateway says it has taken, buffers on the way there left out."""
    path, ends = service.stack.state.log("gateway"), time.monotonic() + 10
    while True:
        for line in path.read_text().splitlines():
            if request_id in line and (told := json.loads(line)).get("taken_bytes"):
                return int(told["taken_bytes"])
        assert time.monotonic() < ends, request_id
        time.sleep(0.1)


@pytest.mark.usefixtures("nothing_stays")
def test_a_refusal_in_the_middle_of_a_file_is_told_each_time(empty: Workspace) -> None:
    answers = [send(empty, iter(Flood(PHOTO, bytes(MIB), 60))) for _ in range(20)]
    assert {refused(answer) for answer in answers} == {(413, "media_too_large")}


@pytest.mark.usefixtures("nothing_stays")
def test_who_goes_away_leaves_nothing(empty: Workspace) -> None:
    class Gone(Exception):  # noqa: N818
        pass

    def broken() -> Iterator[bytes]:
        yield head("file") + jpeg()[:5000]
        raise Gone

    with pytest.raises(Gone):
        send(empty, broken())
