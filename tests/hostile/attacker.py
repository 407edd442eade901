"""A stranger with a key: sends anything, and holds every answer against the API reference."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from deploy.local.state import REPOSITORY
from tests.contract.described import Described
from tests.e2e.client import Client, Json


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an upload.

    Attributes:
        status: Of the answer.
        code: Of the error in the answer, or else in the settled item; "" where all went well.
        media: The settled item; None where the answer was a refusal.
        error: The error itself.
    """

    status: int
    code: str
    media: Json | None
    error: Json | None


class Attacker:
    """One workspace's client. Raises AssertionError for an answer that the reference does not tell of."""

    def __init__(self, client: Client) -> None:
        self.client = client
        described = Described(json.loads((REPOSITORY / "docs" / "openapi.json").read_text()))

        def check(response: httpx.Response) -> None:
            response.read()
            described.check(response)

        client.http.event_hooks["response"].append(check)

    def sends(self, data: bytes, filename: str = "a.jpg", **fields: str) -> Outcome:
        """An upload and what becomes of it in the end."""
        answer = self.client.upload(data, filename, **fields)
        if answer.status_code != 201:
            error: Json = answer.json()["error"]
            return Outcome(answer.status_code, error["code"], None, error)
        media = self.client.settled_media(answer.json()["id"])
        found: Json | None = media["error"]
        return Outcome(201, found["code"] if found else "", media, found)

    def stores(self, data: bytes, filename: str = "a.jpg", **fields: str) -> Json:
        """An upload that must become ready."""
        outcome = self.sends(data, filename, **fields)
        assert outcome.media is not None, outcome
        assert outcome.media["status"] == "ready", outcome
        return outcome.media


def served(media: Json) -> Mapping[str, httpx.Response]:
    """Everything the public can fetch of an item, by URL."""
    urls = {media["url"], media["posterUrl"], *(variant["url"] for variant in media["variants"])} - {None}
    assert urls, media
    answers = {url: httpx.get(url, trust_env=False) for url in urls}
    assert {answer.status_code for answer in answers.values()} == {200}
    return answers
