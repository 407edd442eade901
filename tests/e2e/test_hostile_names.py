"""Whatever a file is called and whatever is said of it: it is only text, wherever it is written down."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from deploy.local.s3 import ACTIVE, QUARANTINE
from deploy.local.stack import Stack
from deploy.local.stages import STAGES
from services.common import ids
from tests.e2e.client import Json, body
from tests.e2e.tenants import Tenancy
from tests.e2e.test_safety import keys
from tests.hostile import names
from tests.hostile.attacker import Attacker
from tests.hostile.samples import sample

# RFC 6266 and 8187: two plain parameters, neither of which a name can leave.
DISPOSITION = re.compile(r"attachment; filename=\"[ !#-\[\]-~]+\"; filename\*=UTF-8''([A-Za-z0-9%._~-]+)")
ALL_NAMES = [
    *[pytest.param(*those, id=f"P10-{name}") for name, those in names.NAMES.items()],
    *[pytest.param(*those, id=f"P11-{name}") for name, those in names.HEADERS.items()],
]


def posted(attacker: Attacker, filename: bytes = b"a.jpg", **fields: bytes) -> Any:
    """The answer to a form that is sent as it stands."""
    content = names.form(sample("image/jpeg"), filename, declared="image/jpeg", **fields)
    return attacker.client.http.post("/v1/media", content=content, headers={"content-type": names.FORM_TYPE})


@pytest.mark.parametrize(("sent", "shown"), ALL_NAMES)
def test_a_name_is_only_a_name(attacker: Attacker, stack: Stack, sent: bytes, shown: str) -> None:
    marker = ids.new("name") if shown and len(sent) < names.LONGEST_NAME_BYTES // 2 else ""
    media: Json = body(posted(attacker, sent + marker.encode()))
    expected = shown + marker
    assert media["filename"] == expected
    assert len(media["filename"].encode()) <= names.LONGEST_NAME_BYTES
    assert unicodedata.is_normalized("NFC", media["filename"])
    stored = keys(stack, QUARANTINE) | keys(stack, ACTIVE)
    assert not [key for key in stored if (marker and marker in key) or ".." in key or "etc" in key]
    source = attacker.client.http.get(f"/v1/media/{media['id']}/source")
    assert "x-evil" not in source.headers
    assert len(source.headers.get_list("content-disposition")) == 1
    disposed = DISPOSITION.fullmatch(source.headers["content-disposition"])
    assert disposed is not None, source.headers["content-disposition"]
    assert unquote(disposed[1], errors="strict") == (expected or "download")
    found = attacker.client.http.get("/v1/media", params={"q": marker or expected}).json()
    assert media["id"] in {item["id"] for item in found["data"]}


@pytest.mark.parametrize("name", [pytest.param(one, id=f"P11-alt-{one}") for one in names.SAID])
def test_what_is_said_of_a_file_is_kept_word_for_word(attacker: Attacker, name: str) -> None:
    media = body(posted(attacker, altText=names.SAID[name]))
    assert media["altText"].encode() == names.SAID[name]


@pytest.mark.parametrize("name", [pytest.param(one, id=f"P11-alt-{one}") for one in names.REFUSED])
def test_what_cannot_be_said_is_refused(attacker: Attacker, name: str) -> None:
    answer = posted(attacker, altText=names.REFUSED[name])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_p11_every_line_of_every_log_is_one_object_whatever_was_sent(tenancy: Tenancy, stack: Stack) -> None:
    for sent, _ in (*names.NAMES.values(), *names.HEADERS.values()):
        tenancy.client.http.post(
            "/v1/media",
            content=names.form(b"no picture", sent, altText=b'"}\n{"level":"fatal"}'),
            headers={"content-type": names.FORM_TYPE, "x-request-id": '"}{"level":"fatal"}'},
        )
    for stage in STAGES:
        lines = Path(stack.state.folder("logs"), f"{stage}.log").read_bytes().splitlines()
        assert lines
        for line in lines:
            told = json.loads(line)
            assert (told["stage"], told["level"] == "fatal") == (stage, False), line
