"""Clients of the upload dialects that we did not write: tuspy, and Google's resumable media."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests
from google.resumable_media import InvalidResponse
from google.resumable_media.requests import ResumableUpload
from tusclient.client import TusClient

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, body

SIZE = 7_654_321
MIB = 1 << 20


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clients") / "film.mp4"
    path.write_bytes(media.padded(media.film(), SIZE))
    return path


@pytest.fixture
def session(stack: Stack) -> Iterator[requests.Session]:
    """Google's client takes the address of an upload as it comes, and wants a whole one."""

    def whole_address(answer: requests.Response, **_: object) -> None:
        if "location" in answer.headers:
            answer.headers["location"] = urljoin(answer.url, answer.headers["location"])

    with requests.Session() as found:
        found.trust_env = False
        found.headers["authorization"] = f"Bearer {stack.api_key}"
        found.hooks["response"].append(whole_address)
        yield found


def assert_ready(client: Client, url: str, film: Path) -> None:
    state = body(client.http.get(url))
    assert state["status"] == "complete"
    item = client.settled_media(state["mediaId"])
    assert (item["status"], item["sha256"]) == ("ready", hashlib.sha256(film.read_bytes()).hexdigest())


@pytest.mark.timeout(90)
def test_tuspy_uploads_with_checksums_and_resumes(stack: Stack, client: Client, film: Path) -> None:
    tus: Any = TusClient(f"{stack.url}/v1/uploads", headers={"Authorization": f"Bearer {stack.api_key}"})
    told: dict[str, Any] = {"chunk_size": 3_000_000, "upload_checksum": True}
    with film.open("rb") as file:
        begun = tus.uploader(file_stream=file, metadata={"filename": film.name}, **told)
        begun.upload_chunk()
    url = begun.url
    with film.open("rb") as file:
        resumed = tus.uploader(file_stream=file, url=url, **told)
        assert resumed.offset == 3_000_000
        resumed.upload()
    assert_ready(client, url, film)


@pytest.mark.timeout(90)
def test_googles_client_uploads_and_recovers(
    stack: Stack, client: Client, film: Path, session: requests.Session
) -> None:
    make: Any = ResumableUpload
    upload = make(f"{stack.url}/v1/uploads", MIB)
    with io.BytesIO(film.read_bytes()) as stream:
        upload.initiate(session, stream, {"filename": film.name, "sizeBytes": SIZE}, "video/mp4")
        upload.transmit_next_chunk(session)
        # Somebody else sent the next piece: its own is refused, so it has to ask how far the upload is.
        piece = film.read_bytes()[MIB : 2 * MIB]
        told = {"content-range": f"bytes {MIB}-{2 * MIB - 1}/{SIZE}"}
        assert client.http.put(upload.resumable_url, content=piece, headers=told).status_code == 308
        with pytest.raises(InvalidResponse):
            upload.transmit_next_chunk(session)
        upload.recover(session)
        assert upload.bytes_uploaded == 2 * MIB
        while not upload.finished:
            answer = upload.transmit_next_chunk(session)
    assert (answer.status_code, answer.json()["sizeBytes"]) == (200, SIZE)
    assert_ready(client, upload.resumable_url, film)
