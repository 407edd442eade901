"""HTTP/2 through Envoy, spoken by hand: what would be another request in HTTP/1.1 is refused.

Behind each lie the next request, on its connection and on others, gets its own answer.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from services.common import ids
from tests.integration.gateway.conftest import Service, Workspace, done
from tests.integration.gateway.lies import (
    FORM,
    LENGTH,
    LIE,
    LIES,
    NEXT,
    SMUGGLED_PATH,
    Change,
    body,
    fields_of,
    length,
    lie,
    part,
    with_,
)
from tests.integration.http2 import Answer, Fields, Peer, peer


@dataclass(frozen=True, slots=True)
class Ending:
    """What a lie got, and what was answered behind it: on its connection, unless that ended, and on another."""

    answer: Answer
    ended: bool
    behind: Answer | None
    elsewhere: Answer


@pytest.fixture(scope="module")
def empty(service: Service) -> Iterator[Workspace]:
    """Of whom nothing is ever stored."""
    with service.customer() as found:
        yield found


@pytest.fixture(scope="module")
def endings(service: Service, empty: Workspace) -> dict[str, Ending]:
    """Of every lie."""

    def told(name: str) -> Ending:
        with peer(service.stack.ports.edge) as speaker:
            lie(speaker, empty.key, name)
            answer = speaker.answer(LIE)
            behind = None if speaker.ended else asked(speaker, empty.key)
            ended = speaker.ended
        with peer(service.stack.ports.edge) as other:
            return Ending(answer, ended, behind, asked(other, empty.key))

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(LIES, pool.map(told, LIES), strict=True))


def asked(speaker: Peer, key: str) -> Answer:
    """A question whose answer names it; one that came belongs to it."""
    media_id, request_id = ids.new("med"), ids.new("req")
    asking = [(b":method", b"GET") if pair[0] == b":method" else pair for pair in fields_of(key)[:5]]
    asking[3] = (b":path", f"/v1/media/{media_id}".encode())
    asking.append((b"x-request-id", request_id.encode()))
    speaker.send(speaker.head(NEXT, asking, "END_HEADERS", "END_STREAM"))
    found = speaker.answer(NEXT)
    if found.status:
        told = json.loads(found.body)
        assert (found.status, told["instance"]) == (404, f"/v1/media/{media_id}")
        assert told["error"]["requestId"] == found.headers["x-request-id"] == request_id
    return found


@pytest.mark.parametrize("name", [pytest.param(name, id=f"P1-h2-{name}") for name in LIES])
def test_what_could_be_another_request_is_refused(endings: dict[str, Ending], name: str) -> None:
    ending = endings[name]
    assert ending.answer.status == 0 or ending.answer.status // 100 == 4, ending
    assert ending.answer.status or ending.answer.reset is not None or ending.ended, ending
    assert SMUGGLED_PATH not in ending.answer.body
    if ending.answer.status:
        assert json.loads(ending.answer.body)["status"] == ending.answer.status
    assert ending.ended or (ending.behind is not None and ending.behind.status == 404), ending
    assert ending.elsewhere.status == 404, ending


def test_nothing_of_all_this_is_left_and_nothing_was_carried_along(
    service: Service, endings: dict[str, Ending], empty: Workspace
) -> None:
    assert endings
    ends = time.monotonic() + 60
    while found := done(empty.http.get("/v1/media"))["data"]:
        assert time.monotonic() < ends, found
        time.sleep(0.1)
    logged = service.stack.state.log("gateway").read_bytes()
    assert empty.workspace_id.encode() in logged
    assert SMUGGLED_PATH not in logged


RIGHT: dict[str, tuple[Change, Fields]] = {
    "without a length": (with_(), ()),
    "with its length": (length(LENGTH), ()),
    "that takes trailers": (with_((b"te", b"trailers")), ()),
    "with trailers": (with_(), ((b"x-a", b"b"),)),
    "whose length comes behind": (with_(), ((b"content-length", b"%d" % LENGTH),)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_same_told_right_is_stored(service: Service, name: str) -> None:
    change, behind = RIGHT[name]
    with service.customer() as customer, peer(service.stack.ports.edge) as speaker:
        speaker.send(speaker.head(LIE, change(fields_of(customer.key))))
        if behind:
            speaker.send(part(FORM), speaker.head(LIE, behind, "END_HEADERS", "END_STREAM"))
        else:
            speaker.send(body(FORM))
        answer = speaker.answer(LIE)
        assert answer.status == 201, answer
        [media] = done(customer.http.get("/v1/media"))["data"]
        assert json.loads(answer.body)["id"] == media["id"]
        assert asked(speaker, customer.key).status == 404
