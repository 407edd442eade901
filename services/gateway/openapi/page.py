"""/docs: the OpenAPI document for people. All it knows comes from that document."""

import json
from collections.abc import Iterator
from typing import Any

from services.gateway.openapi import curl, html
from services.gateway.openapi.html import tag, text
from services.gateway.openapi.schemas import Node

# The document is our own, just built: its shape needs no checks, only names.
Dict = dict[str, Any]

_METHODS = ("post", "get", "patch", "put", "delete")
_MAX_DEPTH = 4


def render(document: Node) -> bytes:
    """The page."""
    reference = _Reference(dict(document))
    return html.page("letmepost Media API", tag("div", reference.nav(), reference.main(), class_="page"))


class _Reference:
    def __init__(self, document: Dict) -> None:
        self._document = document
        self._schemas: Dict = document["components"]["schemas"]
        self._url: str = document["servers"][0]["url"]

    def nav(self) -> str:
        parts = [tag("b", "Start"), _jump("authentication", "Authentication"), _jump("errors", "Errors")]
        for label in self._document["tags"]:
            parts.append(tag("b", text(label["name"])))
            for path, method, node in self._operations(label["name"]):
                word = tag("span", method, class_=f"method {method}")
                parts.append(tag("a", word, text(node["summary"]), href=f"#{node['operationId']}", title=path))
        return tag("nav", *parts)

    def main(self) -> str:
        info = self._document["info"]
        opening = [tag("h1", text(info["title"])), tag("div", html.prose(info["description"]), class_="lead")]
        base = tag("p", "Base URL ", tag("code", text(self._url)), ". The same as data: ")
        opening.append(base.replace("</p>", '<a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'))
        return tag("main", *opening, self._authentication(), self._errors(), *self._services())

    def _authentication(self) -> str:
        scheme = self._document["components"]["securitySchemes"]["apiKey"]
        example = f'curl {self._url}/v1/media \\\n  -H "Authorization: Bearer $LMP_API_KEY"'
        return "".join(
            (
                tag("h2", "Authentication", id="authentication"),
                html.prose(scheme["description"]),
                html.code_block(example),
            )
        )

    def _errors(self) -> str:
        problem = self._schemas["Problem"]
        codes = sorted(
            {
                code
                for label in self._document["tags"]
                for _, _, node in self._operations(label["name"])
                for response in node["responses"].values()
                for code in response.get("x-error-codes", ())
            }
        )
        links = " · ".join(tag("a", text(code), href=f"/docs/errors/{code}") for code in codes)
        return "".join(
            (
                tag("h2", "Errors", id="errors"),
                html.prose(problem["description"]),
                self._members({"$ref": "#/components/schemas/Problem"}, answer=True),
                tag("p", links, class_="soft"),
            )
        )

    def _services(self) -> Iterator[str]:
        for label in self._document["tags"]:
            yield tag("h2", text(label["name"])) + tag("div", html.prose(label["description"]), class_="soft")
            for path, method, node in self._operations(label["name"]):
                yield self._article(path, method, node)

    def _operations(self, label: str) -> Iterator[tuple[str, str, Dict]]:
        for path, item in self._document["paths"].items():
            for method in _METHODS:
                if method in item and label in item[method]["tags"]:
                    yield path, method, item[method]

    def _article(self, path: str, method: str, node: Dict) -> str:
        scope = node["security"][0]["apiKey"][0]
        parts = [
            tag(
                "header",
                tag("span", method, class_=f"method {method}"),
                tag("span", text(path), class_="path"),
                tag("span", "scope ", tag("code", text(scope)), class_="scope"),
            ),
            tag("h3", text(node["summary"])),
            html.prose(node["description"]),
            html.code_block(curl.command(self._url, path, method, node)),
            self._parameters(node),
        ]
        for media_type, content in node.get("requestBody", {}).get("content", {}).items():
            parts += [tag("h4", f"Body, {text(media_type)}"), self._members(content["schema"], answer=False)]
        return tag("article", *parts, self._answers(node), id=node["operationId"])

    def _parameters(self, node: Dict) -> str:
        rows = []
        for parameter in node["parameters"]:
            if "$ref" in parameter:
                parameter = self._document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
            rows.append(
                (
                    _name(parameter["name"], required=parameter.get("required", False))
                    + f' <span class="type">{parameter["in"]}</span>',
                    self._described(parameter["schema"], parameter["description"]),
                )
            )
        return tag("h4", "Parameters") + html.table(*rows) if rows else ""

    def _answers(self, node: Dict) -> str:
        answers = [(tag("code", status), html.prose(it["description"])) for status, it in node["responses"].items()]
        good = [row for row, status in zip(answers, node["responses"], strict=True) if status < "400"]
        bad = [row for row, status in zip(answers, node["responses"], strict=True) if status >= "400"]
        parts = [tag("h4", "Answers"), html.table(*good)]
        settled = next(iter(node["responses"].values()))
        for content in settled.get("content", {}).values():
            if content["schema"].get("format") == "binary":
                continue
            inner = [tag("summary", "The answer, member by member"), self._members(content["schema"], answer=True)]
            parts.append(tag("details", *inner))
            if "example" in content:
                example = json.dumps(content["example"], indent=2, ensure_ascii=False)
                parts.append(tag("details", tag("summary", "An example"), html.code_block(example)))
        return "".join([*parts, tag("details", tag("summary", "Errors"), html.table(*bad))])

    def _members(self, schema: Dict, *, answer: bool) -> str:
        return html.table(*self._rows(schema, "", answer=answer, depth=0))

    def _rows(self, schema: Dict, prefix: str, *, answer: bool, depth: int) -> Iterator[tuple[str, ...]]:
        """A row for each member, those of members below theirs."""
        schema = self._resolved(schema)
        for name, member in schema.get("properties", {}).items():
            required = not answer and name in schema.get("required", ())
            path = f"{prefix}{name}"
            yield (_name(path, required=required), self._described(member, member.get("description", "")))
            inner, mark = self._inner(member)
            if inner.get("properties") and depth < _MAX_DEPTH:
                yield from self._rows(inner, f"{path}{mark}.", answer=answer, depth=depth + 1)

    def _inner(self, member: Dict) -> tuple[Dict, str]:
        """What a member holds, and how a path goes on into it."""
        member = _not_null(member)
        if member.get("type") == "array":
            return self._resolved(member["items"]), "[]"
        if isinstance(member.get("additionalProperties"), dict):
            return self._resolved(member["additionalProperties"]), "{…}"
        return self._resolved(member), ""

    def _described(self, schema: Dict, told: str) -> str:
        kind = tag("span", text(self._type(schema)), class_="type")
        words = self._resolved(_not_null(schema)).get("enum", ())
        listed = " ".join(tag("code", text(word)) for word in words)
        return " ".join(filter(None, (kind, text(told), listed)))

    def _type(self, schema: Dict) -> str:
        if "oneOf" in schema:
            return f"{self._type(_not_null(schema))} or null"
        resolved = self._resolved(schema)
        kind = resolved.get("type", "object")
        if isinstance(kind, list):
            return " or ".join(kind)
        if kind == "array":
            return f"array of {self._type(resolved['items'])}"
        return {"date-time": "time", "binary": "file"}.get(resolved.get("format", ""), str(kind))

    def _resolved(self, schema: Dict) -> Dict:
        if "$ref" not in schema:
            return schema
        found: Dict = self._schemas[schema["$ref"].rpartition("/")[2]]
        return found


def _not_null(schema: Dict) -> Dict:
    first: Dict = schema["oneOf"][0] if "oneOf" in schema else schema
    return first


def _name(name: str, *, required: bool) -> str:
    mark = tag("span", " required", class_="required") if required else ""
    return tag("code", text(name)) + mark


def _jump(target: str, label: str) -> str:
    return tag("a", text(label), href=f"#{target}")
