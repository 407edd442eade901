"""A call's answer in its HTTP wrapping: validators, links, and what an Idempotency-Key keeps of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from services.common.context import CallContext
from services.common.public_json import JSON, dumps
from services.gateway.domain.replays import StoredAnswer
from services.gateway.transcode.calls import Answer
from services.gateway.transcode.routes import Match, RouteTable, secret_fields
from services.gateway.web import headers
from services.gateway.web.http import Exchange, Headers, Response

_NO_SCRIPTS = ("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
# Belong to an answer wherever it is shown again.
_KEPT_HEADERS = ("location", "link", "content-type")


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request for one route."""

    exchange: Exchange
    match: Match
    caller: CallContext
    key_id: str
    query: Sequence[tuple[str, str]]


class Answers:
    """Wraps answers of the routes of `table`; links begin with `public_url`."""

    def __init__(self, table: RouteTable, public_url: str) -> None:
        self._table = table
        self._public_url = public_url

    def response(self, call: Call, answer: Answer) -> Response:
        """The whole HTTP answer; 304 where the caller has it already."""
        wrapping: Headers = (_NO_SCRIPTS,)
        if call.caller.wait_s is not None and call.match.route.waits:
            wrapping += (("preference-applied", f"wait={call.caller.wait_s:.0f}"),)
        if answer.body is None:
            return Response(answer.status, headers=(*wrapping, ("cache-control", "no-store")))
        body = dumps(answer.body)
        wrapping += (*self._location(call, answer.body), *self._link(call, answer.body))
        if call.match.route.method not in ("GET", "PATCH"):
            return Response(answer.status, body, headers=(*wrapping, ("cache-control", "no-store")))
        tag = etag(body)
        wrapping += (("etag", tag), ("cache-control", "private, no-cache"), ("vary", "authorization"))
        if call.match.route.method == "GET" and headers.etag_matches(call.exchange.header("if-none-match"), tag):
            return Response(304, headers=wrapping)
        return Response(answer.status, body, headers=wrapping)

    def _location(self, call: Call, body: dict[str, JSON]) -> Headers:
        """Where what was made can be read, if some route shows it."""
        made = body.get("id")
        shown = self._table.find("GET", f"{call.match.route.template}/{{id}}")
        if call.match.route.method != "POST" or not isinstance(made, str) or shown is None:
            return ()
        return (("location", f"{call.exchange.path}/{made}"),)

    def _link(self, call: Call, body: dict[str, JSON]) -> Headers:
        cursor = body.get("nextCursor")
        if not call.match.route.is_list or not isinstance(cursor, str):
            return ()
        following = [(name, value) for name, value in call.query if name != "cursor"] + [("cursor", cursor)]
        return (("link", f'<{self._public_url}{call.exchange.path}?{urlencode(following)}>; rel="next"'),)


def etag(body: bytes) -> str:
    """The entity tag of an answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def without_secrets(match: Match, answer: Answer) -> Answer:
    """What may be kept of an answer that shows a secret once."""
    hidden = [field.json_name for field in secret_fields(match.route.rpc.output_type)]
    if answer.body is None or not hidden:
        return answer
    return replace(answer, body={name: None if name in hidden else value for name, value in answer.body.items()})


def stored(response: Response) -> StoredAnswer:
    """What is kept of an answer for 24 hours."""
    kept = tuple(header for header in response.headers if header[0] in _KEPT_HEADERS)
    return StoredAnswer(response.status, (*kept, ("content-type", response.content_type)), response.body)


def replayed(answer: StoredAnswer) -> Response:
    """A kept answer, shown again."""
    content_type = dict(answer.headers).get("content-type", "application/json")
    kept = tuple(header for header in answer.headers if header[0] != "content-type")
    return Response(
        answer.status,
        answer.body,
        content_type,
        (*kept, _NO_SCRIPTS, ("idempotent-replayed", "true"), ("cache-control", "no-store")),
    )
