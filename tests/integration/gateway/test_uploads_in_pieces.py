"""Uploads in pieces through the gateway, in each dialect and in all of them at once."""

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache

import httpx
import pytest

from deploy.local.ports import HOST
from deploy.local.s3 import ACTIVE, QUARANTINE, S3
from services.common import ids
from tests.integration.gateway.conftest import Service, done
from tests.media import film, infected_jpeg, jpeg, padded

MIB = 1 << 20
TUS = {"tus-resumable": "1.0.0"}
TUS_PIECE = TUS | {"content-type": "application/offset+octet-stream"}
DRAFT = {"upload-draft-interop-version": "8"}
DRAFT_PIECE = DRAFT | {"content-type": "application/partial-upload"}


@cache
def clip() -> bytes:
    return padded(film(), 12 * MIB + 77)


@pytest.fixture(scope="module")
def http(service: Service) -> Iterator[httpx.Client]:
    """A client without the judge of the API reference, which knows nothing of tus."""
    with service.customer() as customer:
        headers = {"authorization": f"Bearer {customer.key}"}
        with httpx.Client(
            base_url=f"http://{HOST}:{service.port}", headers=headers, timeout=60, trust_env=False
        ) as found:
            yield found


def begin(http: httpx.Client, size: int, **fields: object) -> str:
    answer = http.post("/v1/uploads", json={"filename": "clip.mp4", "sizeBytes": size, **fields})
    made = done(answer)
    assert (answer.status_code, made["offset"], made["chunkAlignment"]) == (201, 0, 262_144)
    assert answer.headers["location"] == f"/v1/uploads/{made['id']}"
    return str(answer.headers["location"])


def put(http: httpx.Client, url: str, data: bytes, first: int, last: int, **headers: str) -> httpx.Response:
    """Bytes first to last, the latter exclusive."""
    told = {"content-range": f"bytes {first}-{last - 1}/{len(data)}"} | headers
    return http.put(url, content=data[first:last], headers=told)


def patch(http: httpx.Client, url: str, offset: int, piece: bytes, **headers: str) -> httpx.Response:
    """As tus does it."""
    told = (
        TUS_PIECE | {"upload-offset": str(offset)} | {name.replace("_", "-"): value for name, value in headers.items()}
    )
    return http.patch(url, content=piece, headers=told)


def append(
    http: httpx.Client, url: str, offset: int, piece: bytes, *, complete: bool, headers: Mapping[str, str] = DRAFT_PIECE
) -> httpx.Response:
    """As the draft does it."""
    told = dict(headers) | {"upload-offset": str(offset), "upload-complete": "?1" if complete else "?0"}
    return http.patch(url, content=piece, headers=told)


def open_multiparts(s3: S3) -> list[str]:
    return [row["Key"] for row in s3.client().list_multipart_uploads(Bucket=QUARANTINE).get("Uploads", [])]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def assert_is(media: Mapping[str, object], data: bytes, http: httpx.Client) -> None:
    assert (media["sizeBytes"], media["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert http.get(f"/v1/media/{media['id']}/source").content == data


def became(http: httpx.Client, url: str) -> dict[str, object]:
    state = done(http.get(url))
    assert state["status"] == "complete", state
    return done(http.get(f"/v1/media/{state['mediaId']}"))


class TestPut:
    """Content-Range."""

    def test_pieces_are_told_by_308_and_the_last_one_is_the_item(self, http: httpx.Client) -> None:
        data = clip()
        url = begin(http, len(data), kind="video", altText="waves", sha256=hashlib.sha256(data).hexdigest())
        answer = put(http, url, data, 0, 6 * MIB)
        assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{6 * MIB - 1}")
        answer = http.put(url, headers={"content-range": f"bytes */{len(data)}"})
        assert (answer.status_code, answer.headers["range"]) == (308, f"bytes=0-{6 * MIB - 1}")
        answer = put(http, url, data, 6 * MIB, len(data), prefer="wait=20")
        assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=20")
        assert (answer.json()["altText"], answer.json()["status"]) == ("waves", "processing")
        assert_is(answer.json(), data, http)
        again = http.put(url, headers={"content-range": "bytes */*"})
        assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])

    def test_before_the_first_byte_there_is_no_range(self, http: httpx.Client) -> None:
        answer = http.put(begin(http, 100), headers={"content-range": "bytes */100"})
        assert (answer.status_code, "range" in answer.headers, answer.headers["upload-offset"]) == (308, False, "0")

    def test_without_a_range_it_is_the_whole_file(self, http: httpx.Client) -> None:
        data = jpeg()
        answer = http.put(begin(http, len(data)), content=data)
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")

    def test_a_body_of_unknown_length_is_the_whole_file_too(self, http: httpx.Client) -> None:
        data = jpeg()
        answer = http.put(begin(http, len(data)), content=iter([data[:1000], data[1000:]]))
        assert (answer.status_code, answer.json()["sizeBytes"]) == (200, len(data))

    @pytest.mark.parametrize(
        "text",
        [
            "bytes 0-9",
            "bytes x-9/100",
            "bytes 9-0/100",
            "bytes 0-100/100",
            "bytes=0-9/100",
            "items 0-9/100",
            "bytes */x",
        ],
    )
    def test_a_malformed_range_is_refused(self, http: httpx.Client, text: str) -> None:
        url = begin(http, 100)
        assert code(http.put(url, content=bytes(10), headers={"content-range": text})) == (400, "invalid_request")

    def test_lengths_that_disagree_are_refused(self, http: httpx.Client) -> None:
        url = begin(http, 100)
        for told, piece in (("bytes 0-9/100", bytes(11)), ("bytes 0-9/101", bytes(10)), ("bytes */100", b"x")):
            answer = http.put(url, content=piece, headers={"content-range": told})
            assert code(answer) == (400, "length_mismatch"), told
        assert done(http.get(url))["offset"] == 0

    def test_p3_a_wrong_offset_is_told_the_true_one(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        put(http, url, data, 0, 5000)
        for first in (0, 4999, 5001):
            answer = put(http, url, data, first, 6000)
            assert code(answer) == (409, "upload_offset_conflict")
            assert answer.json()["error"]["details"]["offset"] == 5000

    def test_p5_a_piece_with_a_wrong_digest_is_not_kept(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        digest = base64.b64encode(hashlib.sha256(data[:5000]).digest()).decode()
        wrong = put(http, url, data, 0, 4999, **{"content-digest": f"sha-256=:{digest}:"})
        assert code(wrong) == (460, "checksum_mismatch")
        for bad in ("sha-256=abc", "sha-256=:!!:", "sha-256=:AAAA:", "x"):
            assert code(put(http, url, data, 0, 5000, **{"content-digest": bad})) == (400, "invalid_request")
        right = put(http, url, data, 0, 5000, **{"content-digest": f"sha-256=:{digest}:, x=:AAAA:"})
        assert (right.status_code, right.headers["upload-offset"]) == (308, "5000")

    def test_what_is_infected_is_told_to_whoever_sends_the_last_piece_and_to_who_asks(self, http: httpx.Client) -> None:
        data = infected_jpeg()
        url = begin(http, len(data))
        put(http, url, data, 0, 5000)
        assert code(put(http, url, data, 5000, len(data))) == (422, "media_rejected_security")
        asked = http.put(url, headers={"content-range": "bytes */*"})
        assert code(asked) == (422, "media_rejected_security")

    def test_what_is_no_photo_or_video_is_refused_with_its_first_piece(self, http: httpx.Client) -> None:
        url = begin(http, 10 * MIB)
        data = b"<svg xmlns='http://www.w3.org/2000/svg'>" + bytes(10 * MIB - 40)
        assert code(put(http, url, data, 0, MIB)) == (415, "media_type_unsupported")
        assert code(put(http, url, data, MIB, 2 * MIB)) == (415, "media_type_unsupported")
        state = done(http.get(url))
        assert (state["status"], state["error"]["code"]) == ("rejected", "media_type_unsupported")

    def test_p4_after_its_end_an_upload_takes_nothing(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        assert put(http, url, data, 0, len(data)).status_code == 200
        assert code(put(http, url, data, 0, len(data))) == (409, "upload_complete")
        media = became(http, url)
        assert http.delete(url).status_code == 204
        assert code(put(http, url, data, 0, len(data))) == (404, "upload_not_found")
        assert http.get(f"/v1/media/{media['id']}").status_code == 200

    def test_an_unknown_upload_is_told_so_in_every_dialect(self, http: httpx.Client) -> None:
        for url in (f"/v1/uploads/{ids.new('upl')}", "/v1/uploads/x"):
            for answer in (
                http.get(url),
                http.delete(url),
                http.put(url, content=b"x"),
                patch(http, url, 0, b"x"),
                append(http, url, 0, b"x", complete=True),
            ):
                assert code(answer) == (404, "upload_not_found")
            assert (http.head(url).status_code, http.head(url, headers=TUS).status_code) == (404, 404)

    def test_nobody_comes_in_without_a_key(self, service: Service) -> None:
        with httpx.Client(base_url=f"http://{HOST}:{service.port}", trust_env=False) as nobody:
            for answer in (
                nobody.put("/v1/uploads/x", content=b"x"),
                nobody.post("/v1/uploads", headers=TUS | {"upload-length": "1"}),
                nobody.patch("/v1/uploads/x", headers=DRAFT_PIECE),
            ):
                assert code(answer) == (401, "unauthorized")


class TestTus:
    """Version 1.0."""

    def test_pieces_end_in_the_item(self, http: httpx.Client) -> None:
        data = clip()
        metadata = "filename " + base64.b64encode("Été.mp4".encode()).decode() + ",kind dmlkZW8=,x"
        answer = http.post("/v1/uploads", headers=TUS | {"upload-length": str(len(data)), "upload-metadata": metadata})
        assert (answer.status_code, answer.content, answer.headers["tus-resumable"]) == (201, b"", "1.0.0")
        assert answer.headers["upload-expires"].endswith(" GMT")
        url = answer.headers["location"]
        answer = patch(http, url, 0, data[: 9 * MIB])
        assert (answer.status_code, answer.headers["upload-offset"], answer.content) == (204, str(9 * MIB), b"")
        told = http.head(url, headers=TUS)
        assert (told.status_code, told.headers["upload-offset"]) == (200, str(9 * MIB))
        assert (told.headers["upload-length"], told.headers["cache-control"]) == (str(len(data)), "no-store")
        answer = patch(http, url, 9 * MIB, data[9 * MIB :])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(data)))
        media = became(http, url)
        assert media["filename"] == "Été.mp4"
        assert answer.headers["content-location"] == f"/v1/media/{media['id']}"
        assert_is(media, data, http)

    def test_a_creation_may_bring_the_first_bytes(self, http: httpx.Client) -> None:
        data = jpeg()
        headers = TUS_PIECE | {"upload-length": str(len(data))}
        answer = http.post("/v1/uploads", content=data[:100], headers=headers)
        assert (answer.status_code, answer.headers["upload-offset"]) == (201, "100")
        assert patch(http, answer.headers["location"], 100, data[100:]).status_code == 204
        answer = http.post("/v1/uploads", content=data, headers=headers)
        assert became(http, answer.headers["location"])["status"] == "ready"

    def test_a_client_that_knows_no_patch_may_say_it_in_a_post(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        headers = TUS_PIECE | {"upload-offset": "0", "x-http-method-override": "PATCH"}
        assert http.post(url, content=data, headers=headers).status_code == 204
        assert http.post(url, headers=TUS | {"x-http-method-override": "DELETE"}).status_code == 204

    @pytest.mark.parametrize("algorithm", ["sha1", "md5", "sha256", "sha512"])
    def test_p5_a_checksum_decides_whether_a_piece_is_kept(self, http: httpx.Client, algorithm: str) -> None:
        data = jpeg()
        url = begin(http, len(data))
        right = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
        answer = patch(http, url, 0, data[:-1], upload_checksum=f"{algorithm} {right}")
        assert (code(answer), answer.headers["tus-resumable"]) == ((460, "checksum_mismatch"), "1.0.0")
        assert http.head(url, headers=TUS).headers["upload-offset"] == "0"
        assert patch(http, url, 0, data, upload_checksum=f"{algorithm} {right}").status_code == 204

    @pytest.mark.parametrize("checksum", ["crc32 AAAA", "sha1", "sha1 AAAA", "sha1 !", ""])
    def test_p5_a_checksum_that_is_none_is_refused(self, http: httpx.Client, checksum: str) -> None:
        assert code(patch(http, begin(http, 10), 0, b"x", upload_checksum=checksum)) == (400, "invalid_request")

    @pytest.mark.parametrize("offset", ["", "x", "-1", "1.0", "0x0", "1" * 30])
    def test_an_offset_is_an_integer(self, http: httpx.Client, offset: str) -> None:
        url = begin(http, 10)
        answer = http.patch(url, content=b"x", headers=TUS_PIECE | {"upload-offset": offset})
        assert code(answer) == (400, "invalid_request")
        assert code(http.patch(url, content=b"x", headers=TUS_PIECE)) == (400, "invalid_request")

    def test_p3_a_wrong_offset_is_told_the_true_one(self, http: httpx.Client) -> None:
        answer = patch(http, begin(http, 10), 1, b"x")
        assert (code(answer), answer.headers["upload-offset"]) == ((409, "upload_offset_conflict"), "0")

    def test_a_piece_has_its_own_type(self, http: httpx.Client) -> None:
        answer = patch(http, begin(http, 10), 0, b"x", content_type="image/jpeg")
        assert code(answer) == (415, "content_type_unsupported")

    def test_p4_past_its_length_nothing_is_taken(self, http: httpx.Client) -> None:
        url = begin(http, 10)
        assert code(patch(http, url, 0, bytes(11))) == (413, "media_too_large")
        assert http.head(url, headers=TUS).headers["upload-offset"] == "0"
        too_long = http.post("/v1/uploads", headers=TUS | {"upload-length": "500000001"})
        assert code(too_long) == (413, "media_too_large")

    def test_another_version_is_told_ours(self, http: httpx.Client) -> None:
        answer = http.post("/v1/uploads", headers={"tus-resumable": "0.2.2", "upload-length": "1"})
        assert (code(answer), answer.headers["tus-version"]) == ((412, "precondition_failed"), "1.0.0")

    def test_the_length_is_not_deferred(self, http: httpx.Client) -> None:
        assert code(http.post("/v1/uploads", headers=TUS | {"upload-defer-length": "1"})) == (400, "invalid_request")
        assert code(http.post("/v1/uploads", headers=TUS)) == (400, "invalid_request")

    @pytest.mark.parametrize(
        "metadata",
        [
            "filename x",
            "filename AA==,filename AA==",
            "filename AA==",
            "filename /w==",
            "é AA==",
            "a " + "A" * 4096,
            ",,",
        ],
        ids=["not-base64", "twice", "nul", "not-utf8", "not-ascii", "long", "empty"],
    )
    def test_p6_malformed_metadata_is_refused(self, http: httpx.Client, metadata: str) -> None:
        told = TUS | {"upload-length": "9", "upload-metadata": metadata}
        answer = http.post("/v1/uploads", headers=[(name.encode(), value.encode()) for name, value in told.items()])
        assert code(answer) == (400, "metadata_invalid")

    def test_p6_a_megabyte_of_metadata_is_too_much_for_any_header(self, http: httpx.Client) -> None:
        told = TUS | {"upload-length": "9", "upload-metadata": "filename " + "QUJD" * (MIB // 4)}
        assert code(http.post("/v1/uploads", headers=told)) == (431, "headers_too_large")

    def test_options_tell_what_there_is(self, http: httpx.Client) -> None:
        for url in ("/v1/uploads", "/v1/uploads/x"):
            answer = http.options(url, headers={"authorization": ""})
            assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
            assert answer.headers["tus-extension"].split(",") == [
                "creation",
                "creation-with-upload",
                "expiration",
                "checksum",
                "termination",
                "concatenation",
            ]
            assert (answer.headers["tus-max-size"], "sha1" in answer.headers["tus-checksum-algorithm"]) == (
                "500000000",
                True,
            )
            assert answer.headers["upload-limit"] == "max-size=500000000"

    def test_partial_uploads_are_put_together(self, http: httpx.Client) -> None:
        data = clip()
        urls = []
        for part in (data[: 9 * MIB], data[9 * MIB : 9 * MIB + 5], data[9 * MIB + 5 :]):
            headers = TUS_PIECE | {"upload-length": str(len(part)), "upload-concat": "partial"}
            answer = http.post("/v1/uploads", content=part, headers=headers)
            assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(part)))
            urls.append(answer.headers["location"])
            assert http.head(urls[-1], headers=TUS).headers["upload-concat"] == "partial"
        final = {"upload-concat": f"final;{http.base_url.join(urls[0])} {urls[1]} {urls[2]}"}
        answer = http.post("/v1/uploads", headers=TUS | final)
        assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(data))), answer.text
        assert_is(became(http, answer.headers["location"]), data, http)

    @pytest.mark.parametrize("text", ["x", "final;", "final;/v1/media/x", f"final;/v1/uploads/{ids.new('upl')} y"])
    def test_what_cannot_be_put_together_is_refused(self, http: httpx.Client, text: str) -> None:
        headers = TUS | {"upload-concat": text}
        assert code(http.post("/v1/uploads", headers=headers)) == (400, "invalid_request")

    def test_p4_a_terminated_upload_is_unknown(self, http: httpx.Client, s3: S3) -> None:
        data, before = clip(), open_multiparts(s3)
        url = begin(http, len(data))
        patch(http, url, 0, data[: 9 * MIB])
        assert len(open_multiparts(s3)) == len(before) + 1
        answer = http.delete(url, headers=TUS)
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        assert http.head(url, headers=TUS).status_code == 404
        assert open_multiparts(s3) == before


class TestDraft:
    """draft-ietf-httpbis-resumable-upload."""

    @pytest.mark.parametrize("version", ["5", "6", "7", "8"])
    def test_pieces_end_in_the_item(self, http: httpx.Client, version: str) -> None:
        data = jpeg()
        said = {"upload-draft-interop-version": version}
        headers = said | {"upload-complete": "?0", "upload-length": str(len(data))}
        answer = http.post(
            "/v1/uploads", content=data[:100], headers=headers | {"content-disposition": 'attachment; filename="a.jpg"'}
        )
        assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?0")
        assert (answer.headers["upload-offset"], answer.headers["upload-limit"][:18]) == ("100", "max-size=500000000")
        url = answer.headers["location"]
        pieces = said if version == "5" else said | {"content-type": "application/partial-upload"}
        answer = append(http, url, 100, data[100:200], complete=False, headers=pieces)
        assert (answer.status_code, answer.headers["upload-complete"], answer.headers["upload-offset"]) == (
            204,
            "?0",
            "200",
        )
        told = http.head(url, headers=said)
        assert (told.status_code, told.headers["upload-offset"], told.headers["upload-complete"]) == (204, "200", "?0")
        assert (told.headers["upload-length"], told.headers["cache-control"]) == (str(len(data)), "no-store")
        answer = append(http, url, 200, data[200:], complete=True, headers=pieces)
        assert (answer.status_code, answer.headers["upload-complete"]) == (200, "?1")
        assert (answer.json()["status"], answer.json()["filename"]) == ("ready", "a.jpg")
        assert http.head(url, headers=said).headers["upload-complete"] == "?1"

    def test_one_request_may_bring_it_all(self, http: httpx.Client) -> None:
        data = jpeg()
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        headers = DRAFT | {"upload-complete": "?1", "repr-digest": f"sha-256=:{digest}:"}
        answer = http.post("/v1/uploads", content=data, headers=headers)
        assert (answer.status_code, answer.json()["sizeBytes"]) == (201, len(data))

    def test_an_empty_last_piece_ends_it(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        answer = append(http, url, 0, data, complete=False)
        assert (answer.status_code, answer.headers["upload-complete"]) == (204, "?0")
        answer = append(http, url, len(data), b"", complete=True)
        assert (answer.status_code, answer.headers["upload-complete"]) == (200, "?1")

    def test_p3_a_wrong_offset_is_told_the_true_one(self, http: httpx.Client) -> None:
        answer = append(http, begin(http, 100), 3, b"x", complete=False)
        assert (code(answer), answer.headers["upload-offset"]) == ((409, "upload_offset_conflict"), "0")
        told = answer.json()
        assert told["type"] == "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
        assert (told["expected-offset"], told["provided-offset"]) == (0, 3)

    def test_p4_a_complete_upload_takes_nothing(self, http: httpx.Client) -> None:
        data = jpeg()
        url = begin(http, len(data))
        put(http, url, data, 0, len(data))
        answer = append(http, url, len(data), b"", complete=True)
        assert code(answer) == (409, "upload_complete")
        assert answer.json()["type"] == "https://iana.org/assignments/http-problem-types#completed-upload"

    def test_lengths_that_disagree_are_refused(self, http: httpx.Client) -> None:
        at_creation = DRAFT | {"upload-complete": "?1", "upload-length": "10"}
        answers = [http.post("/v1/uploads", content=bytes(11), headers=at_creation)]
        url = begin(http, 100)
        answers.append(append(http, url, 0, bytes(10), complete=True))
        answers.append(append(http, url, 0, b"", complete=False, headers=DRAFT_PIECE | {"upload-length": "99"}))
        unknown = DRAFT_PIECE | {"upload-offset": "0", "upload-complete": "?1"}
        answers.append(http.patch(url, content=iter([jpeg()[:50]]), headers=unknown))
        for answer in answers:
            assert code(answer) == (400, "length_mismatch")
            told = answer.json()["type"], answer.headers["upload-complete"]
            assert told == ("https://iana.org/assignments/http-problem-types#inconsistent-upload-length", "?0")
        assert done(http.get(url))["offset"] == 50

    def test_a_head_asks_and_says_nothing(self, http: httpx.Client) -> None:
        url = begin(http, 10)
        for name, value in (("upload-offset", "0"), ("upload-complete", "?0"), ("upload-length", "10")):
            assert http.head(url, headers=DRAFT | {name: value}).status_code == 400

    @pytest.mark.parametrize(
        "said",
        [
            {"upload-complete": "?1"},
            {"upload-offset": "x", "upload-complete": "?1"},
            {"upload-offset": "0"},
            {"upload-offset": "0", "upload-complete": "1"},
            {"upload-offset": "0", "upload-complete": "?1", "content-digest": "x"},
            {"upload-offset": "0", "upload-complete": "?1", "upload-draft-interop-version": "3"},
        ],
        ids=["no-offset", "offset", "no-complete", "complete", "digest", "version"],
    )
    def test_a_malformed_request_is_refused(self, http: httpx.Client, said: Mapping[str, str]) -> None:
        answer = http.patch(begin(http, 10), content=b"x", headers={**DRAFT_PIECE, **said})
        assert code(answer) == (400, "invalid_request")

    def test_the_length_is_known_at_the_start(self, http: httpx.Client) -> None:
        answer = http.post("/v1/uploads", headers=DRAFT | {"upload-complete": "?0"})
        assert code(answer) == (400, "invalid_request")


def test_dialects_may_be_mixed(http: httpx.Client) -> None:
    data = clip()
    url = http.post("/v1/uploads", headers=TUS | {"upload-length": str(len(data))}).headers["location"]
    assert append(http, url, 0, data[:MIB], complete=False).status_code == 204
    assert put(http, url, data, MIB, 7 * MIB).status_code == 308
    assert patch(http, url, 7 * MIB, data[7 * MIB : 8 * MIB]).status_code == 204
    answer = put(http, url, data, 8 * MIB, len(data))
    assert_is(answer.json(), data, http)


def test_a_body_cut_off_by_its_client_keeps_what_arrived(http: httpx.Client, service: Service) -> None:
    data = clip()
    url = begin(http, len(data))
    head = (
        f"PUT {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\n"
        f"Content-Range: bytes 0-{len(data) - 1}/{len(data)}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((HOST, service.port)) as client:
        client.sendall(head.encode() + data[: 3 * MIB])
        time.sleep(1)
    answer = http.put(url, headers={"content-range": "bytes */*"})
    assert answer.headers["range"] == f"bytes=0-{3 * MIB - 1}"
    assert put(http, url, data, 3 * MIB, len(data)).status_code == 200


def test_p3_the_older_of_two_requests_is_cut_off(http: httpx.Client, service: Service) -> None:
    data = clip()
    url = begin(http, len(data))
    go_on = threading.Event()
    older: list[httpx.Response] = []

    def slowly() -> Iterator[bytes]:
        yield data[:MIB]
        go_on.wait(20)
        yield data[MIB:]

    def send() -> None:
        headers = {"content-range": f"bytes 0-{len(data) - 1}/{len(data)}", "content-length": str(len(data))}
        with httpx.Client(base_url=http.base_url, headers=http.headers, timeout=60, trust_env=False) as another:
            older.append(another.put(url, content=slowly(), headers=headers))

    sending = threading.Thread(target=send)
    sending.start()
    time.sleep(1)
    told = http.head(url, headers=TUS)
    assert told.headers["upload-offset"] == str(MIB)
    go_on.set()
    sending.join()
    assert code(older[0]) == (423, "upload_locked")
    assert put(http, url, data, MIB, len(data)).status_code == 200


def test_a_get_carries_the_state_in_every_dialect(http: httpx.Client) -> None:
    data = jpeg()
    url = begin(http, len(data))
    put(http, url, data, 0, 5000)
    for headers in ({}, TUS, DRAFT):
        answer = http.get(url, headers=headers)
        state = done(answer)
        assert (state["status"], state["offset"], state["sizeBytes"]) == ("receiving", 5000, len(data)), headers


def test_a_repeated_creation_is_one_upload(http: httpx.Client) -> None:
    headers = {"idempotency-key": ids.new("idem")}
    answers = [http.post("/v1/uploads", json={"filename": "a", "sizeBytes": 5}, headers=headers) for _ in range(2)]
    assert json.loads(answers[0].content) == json.loads(answers[1].content)
    assert answers[1].headers["idempotent-replayed"] == "true"


def test_nothing_of_all_this_is_left_in_quarantine(http: httpx.Client, s3: S3) -> None:
    data = jpeg()
    assert put(http, begin(http, len(data)), data, 0, len(data)).status_code == 200
    found = [row["Key"] for row in s3.client().list_objects_v2(Bucket=ACTIVE)["Contents"]]
    assert found


@pytest.mark.timeout(90)
def test_a_client_that_falls_silent_is_told_so_and_keeps_what_it_sent(http: httpx.Client, service: Service) -> None:
    data = clip()
    url = begin(http, len(data))
    head = (
        f"PATCH {url} HTTP/1.1\r\nHost: x\r\nAuthorization: {http.headers['authorization']}\r\nTus-Resumable: 1.0.0\r\n"
        f"Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((HOST, service.port), timeout=60) as client:
        client.sendall(head.encode() + data[: 2 * MIB])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"upload_stalled" in answer
    assert http.head(url, headers=TUS).headers["upload-offset"] == str(2 * MIB)
