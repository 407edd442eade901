"""What must never be served, and what happens while nobody can tell."""

from deploy.local.s3 import ACTIVE, QUARANTINE
from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import Client, eventually
from tests.e2e.tenants import Tenancy

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def keys(stack: Stack, bucket: str) -> set[str]:
    """Every key in that bucket."""
    pages = stack.s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}


def sources(stack: Stack) -> set[str]:
    """What was promoted; renditions of earlier tests may still come and go."""
    return {key for key in keys(stack, ACTIVE) if not key.startswith("cdn/")}


def test_eicar_under_a_photos_name_is_refused_and_nothing_of_it_stays(stack: Stack, client: Client) -> None:
    before = sources(stack)
    answer = client.upload(EICAR, kind="image")
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "media_type_unsupported")
    assert sources(stack) <= before
    eventually(lambda: not keys(stack, QUARANTINE), within_s=20)


def test_while_the_scanner_has_no_clamd_nothing_is_promoted_and_everything_settles_afterwards(
    stack: Stack, tenancy: Tenancy
) -> None:
    client = tenancy.client
    before = sources(stack)
    stack.stop_daemon("clamd")
    try:
        answers = [
            client.http.post(
                "/v1/media", files={"file": ("photo.jpg", media.jpeg(200, 200 + n))}, headers={"Prefer": "wait=1"}
            )
            for n in range(5)
        ]
        assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
        assert {answer.json()["status"] for answer in answers} == {"scanning"}
        assert sources(stack) <= before
    finally:
        stack.start_daemon("clamd")
    settled = [client.settled_media(answer.json()["id"]) for answer in answers]
    assert {found["status"] for found in settled} == {"ready"}
