"""What answers and problems look like."""

import json
from dataclasses import replace

import pytest
from google.protobuf import struct_pb2

from services.common.context import CallContext
from services.common.errors import TABLE, Code, MediaError, Violation
from services.gateway import download
from services.gateway.services import route_table
from services.gateway.transcode.calls import Answer
from services.gateway.web import answers
from services.gateway.web.answers import Answers, Call
from services.gateway.web.http import Exchange
from services.gateway.web.problems import problem

TABLE_OF_ROUTES = route_table()
ANSWERS = Answers(TABLE_OF_ROUTES, "https://api.example.com")


def call(method: str, path: str, query: str = "", **sent: str) -> Call:
    async def nothing(*_: object) -> None:
        raise AssertionError("nothing is sent here")

    rows = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    scope = {"method": method, "raw_path": path.encode(), "query_string": query.encode(), "headers": rows}
    exchange = Exchange(scope, nothing, nothing, request_id="req_1")  # type: ignore[arg-type]
    match = TABLE_OF_ROUTES.match(method, path.encode())
    return Call(exchange, match, CallContext("ws_1", "req_1"), "key_1", exchange.query)


@pytest.mark.parametrize("code", Code)
def test_every_error_is_a_whole_problem(code: Code) -> None:
    answer = problem(MediaError(code, media_id="med_1", why="inner"), instance="/v1/x", request_id="req_1")
    body = json.loads(answer.body)
    assert answer.status == body["status"] == TABLE[code].http
    assert answer.content_type == "application/problem+json"
    assert body["type"] == f"/docs/errors/{code}"
    assert body["title"]
    assert body["detail"] == body["error"]["message"]
    assert body["error"]["code"] == code
    assert body["error"]["remediation"]
    assert body["error"]["requestId"] == "req_1"
    assert body["error"]["details"] == {"mediaId": "med_1"}
    assert "inner" not in answer.body.decode()
    assert ("retry-after" in dict(answer.headers)) == (
        answer.status in (429, 503) or code is Code.IDEMPOTENCY_IN_PROGRESS
    )


def test_details_that_crossed_an_rpc_are_plain_json() -> None:
    details = struct_pb2.Struct()
    details.update({"limit_bytes": 8_000_000, "ratio": 0.5, "list": ["a", 1], "none": None})
    error = MediaError(Code.INVALID_REQUEST, **dict(details), violations=[Violation("a.b", "no")])
    body = json.loads(problem(error, instance="/", request_id="r").body)
    assert body["error"]["details"] == {"limitBytes": 8_000_000, "ratio": 0.5, "list": ["a", 1], "none": None}
    assert body["errors"] == [{"field": "a.b", "message": "no"}]


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (MediaError(Code.UNAUTHORIZED), ("www-authenticate", 'Bearer realm="letmepost"')),
        (MediaError(Code.METHOD_NOT_ALLOWED, method="PUT", allow="GET, HEAD"), ("allow", "GET, HEAD")),
        (MediaError(Code.RANGE_NOT_SATISFIABLE, size=10.0), ("content-range", "bytes */10")),
        (MediaError(Code.SCANNER_UNAVAILABLE, retry_after_s=15.0), ("retry-after", "15")),
    ],
)
def test_some_errors_speak_in_headers_too(error: MediaError, header: tuple[str, str]) -> None:
    assert header in problem(error, instance="/", request_id="r").headers


def test_what_was_read_has_a_tag_and_is_not_sent_twice() -> None:
    answer = Answer(200, {"id": "med_1"})
    first = ANSWERS.response(call("GET", "/v1/media/med_1"), answer)
    tag = dict(first.headers)["etag"]
    again = ANSWERS.response(call("GET", "/v1/media/med_1", if_none_match=tag), answer)
    other = ANSWERS.response(call("GET", "/v1/media/med_1", if_none_match=tag), Answer(200, {"id": "med_2"}))
    assert (first.status, again.status, again.body, other.status) == (200, 304, b"", 200)
    assert dict(ANSWERS.response(call("PATCH", "/v1/media/med_1"), answer).headers)["etag"] == tag


def test_what_was_made_says_where_it_is_if_it_can_be_read() -> None:
    made = Answer(201, {"id": "med_1"})
    assert ("location", "/v1/media/med_1") in ANSWERS.response(call("POST", "/v1/media"), made).headers
    variant = ANSWERS.response(call("POST", "/v1/media/med_1/variants"), Answer(202, {"id": "x"}))
    assert "location" not in dict(variant.headers)
    key = ANSWERS.response(call("POST", "/v1/api-keys"), Answer(201, {"apiKey": {"id": "key_1"}, "key": "lmp"}))
    assert "location" not in dict(key.headers)


def test_a_page_links_to_the_next_with_the_same_filters() -> None:
    page = Answer(200, {"data": [], "nextCursor": "a b"})
    link = dict(ANSWERS.response(call("GET", "/v1/media", "q=%C3%A9&cursor=x&limit=2"), page).headers)["link"]
    assert link == '<https://api.example.com/v1/media?q=%C3%A9&limit=2&cursor=a+b>; rel="next"'
    last = ANSWERS.response(call("GET", "/v1/media"), Answer(200, {"data": [], "nextCursor": None}))
    assert "link" not in dict(last.headers)


def test_a_secret_is_not_kept() -> None:
    asked = call("POST", "/v1/api-keys")
    answer = Answer(201, {"apiKey": {"id": "key_1"}, "key": "lmp_test_secret"})
    kept = answers.stored(ANSWERS.response(asked, answers.without_secrets(asked.match, answer)))
    assert json.loads(kept.body) == {"apiKey": {"id": "key_1"}, "key": None}


def test_a_kept_answer_looks_like_the_first() -> None:
    asked = call("POST", "/v1/media")
    first = ANSWERS.response(replace(asked, caller=replace(asked.caller, wait_s=3.0)), Answer(201, {"id": "med_1"}))
    again = answers.replayed(answers.stored(first))
    assert (again.status, again.body, again.content_type) == (201, first.body, "application/json")
    assert dict(again.headers)["location"] == "/v1/media/med_1"
    assert dict(again.headers)["idempotent-replayed"] == "true"
    assert "preference-applied" not in dict(again.headers)


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("photo.jpg", "attachment; filename=\"photo.jpg\"; filename*=UTF-8''photo.jpg"),
        ('a"b;c.jpg', "attachment; filename=\"a_b_c.jpg\"; filename*=UTF-8''a%22b%3Bc.jpg"),
        (
            "a\r\nset-cookie: x.jpg",
            "attachment; filename=\"a__set-cookie_ x.jpg\"; filename*=UTF-8''a__set-cookie%3A%20x.jpg",
        ),
        ("写真.jpg", "attachment; filename=\"__.jpg\"; filename*=UTF-8''%E5%86%99%E7%9C%9F.jpg"),
        ("../../etc/passwd", "attachment; filename=\".._.._etc_passwd\"; filename*=UTF-8''.._.._etc_passwd"),
        ("", "attachment; filename=\"download\"; filename*=UTF-8''download"),
    ],
)
def test_a_file_name_cannot_leave_its_header(filename: str, header: str) -> None:
    assert download.disposition(filename) == header
