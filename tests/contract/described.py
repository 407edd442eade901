"""Holds every answer against the OpenAPI document: status, type, body, error code."""

import copy
import re
from datetime import datetime
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

Dict = dict[str, Any]

FORMATS = FormatChecker(())


def _utc(value: object) -> bool:
    """RFC 3339, in UTC as all our times are."""
    return not isinstance(value, str) or (value.endswith("Z") and datetime.fromisoformat(value) is not None)


FORMATS.checks("date-time", raises=ValueError)(_utc)


class Described:
    """The document as a judge. Stricter than for clients: what it does not describe must not be answered."""

    def __init__(self, document: Dict) -> None:
        self.document = copy.deepcopy(document)
        for schema in self.document["components"]["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False
        self._headers = {
            name.lower()
            for item in self.document["paths"].values()
            for node in item.values()
            for told in node["responses"].values()
            for name in told["headers"]
        }
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), item) for path, item in self.document["paths"].items()
        ]

    def operation(self, method: str, path: str) -> Dict | None:
        """What is said of a request, HEAD being GET; None: nothing."""
        wanted = "get" if method == "HEAD" else method.lower()
        candidates = [item for pattern, item in self._paths if pattern.fullmatch(path) and wanted in item]
        found: Dict | None = candidates[0][wanted] if candidates else None
        return found

    def check(self, response: httpx.Response) -> None:
        """Assert that this answer is one the document tells of; its body must have been read."""
        assert response.headers["x-request-id"]
        request = response.request
        path = _path(request)
        operation = self.operation(request.method, path)
        if response.status_code in (404, 405) and operation is None:
            self._problem(response)
            return
        assert operation is not None, f"{request.method} {path} is not described"
        told = operation["responses"].get(str(response.status_code))
        assert told is not None, f"{operation['operationId']} answers {response.status_code}: {response.text}"
        undescribed = self._headers & set(response.headers) - {name.lower() for name in told["headers"]}
        assert not undescribed, f"{operation['operationId']} answers {response.status_code} with {undescribed}"
        if response.status_code >= 400:
            self._problem(response)
            if request.method != "HEAD":
                code = response.json()["error"]["code"]
                assert code in told["x-error-codes"], f"{operation['operationId']} answers {code}"
        elif "content" not in told:
            assert response.content == b""
        elif "application/json" in told["content"] and request.method != "HEAD":
            assert response.headers["content-type"] == "application/json"
            self.check_body(response.json(), told["content"]["application/json"]["schema"])

    def check_body(self, body: Any, schema: Dict) -> None:
        """Assert that a value is what a schema of the document says."""
        whole = {**schema, "components": self.document["components"]}
        Draft202012Validator(whole, format_checker=FORMATS).validate(body)

    def _problem(self, response: httpx.Response) -> None:
        assert response.headers["content-type"] == "application/problem+json"
        if response.request.method == "HEAD":
            return
        body = response.json()
        self.check_body(body, {"$ref": "#/components/schemas/Problem"})
        assert body["status"] == response.status_code
        if "idempotent-replayed" not in response.headers:  # Shown again, it names the request it was the answer to.
            assert body["error"]["requestId"] == response.headers["x-request-id"]
        assert body["instance"] == _path(response.request)


def _path(request: httpx.Request) -> str:
    """As it was sent: an escaped slash is part of an id."""
    return request.url.raw_path.decode().partition("?")[0]
