"""The route table, read from the `google.api.http` and `route` options of the service descriptors."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor
from mediaapi.v1 import options_pb2

from services.common.errors import Code, MediaError
from services.common.proto_names import is_map

# A google.protobuf.FieldMask of this name is filled with the names of the fields the body has, null or not: what a
# change leaves as it is, and what it empties, are different things.
UPDATE_MASK = "update_mask"
_VARIABLE = re.compile(r"^\{([a-z][a-z0-9_]*)\}$")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class RouteError(Exception):
    """A descriptor declares a route this gateway cannot serve; found at start."""


@dataclass(frozen=True, slots=True)
class Route:
    """One public route and the RPC behind it.

    `in_progress` is 0 where the status never depends on the answer. `variables` are proto field names.
    """

    method: str
    template: str
    segments: tuple[str, ...]
    variables: tuple[str, ...]
    has_body: bool
    success: int
    in_progress: int
    scope: str
    multipart: bool
    pieces: bool
    attachment: bool
    events: bool
    rpc: MethodDescriptor
    fetches: bool = False  # reads a file from elsewhere before it answers
    json_twin: "Route | None" = None  # what serves JSON bodies of a multipart route

    @property
    def besides(self) -> tuple[str, ...]:
        """Fields of the request that the body does not hold: path variables, and which fields the body has."""
        mask = self.rpc.input_type.fields_by_name.get(UPDATE_MASK)
        return self.variables if mask is None else (*self.variables, UPDATE_MASK)

    @property
    def request(self) -> Descriptor:
        """The message that holds what is said in path and query: of a stream of pieces, its header."""
        header = self.rpc.input_type.fields_by_name["header"].message_type if self.pieces else None
        return header or self.rpc.input_type

    @property
    def answer(self) -> Descriptor:
        """The message whose JSON is the answer: of a piece, what the upload has become."""
        media = self.rpc.output_type.fields_by_name["media"].message_type if self.pieces else None
        return media or self.rpc.output_type

    @property
    def waits(self) -> bool:
        """Its answer may be waited for: `Prefer: wait=N`."""
        return self.multipart or self.pieces or self.fetches or self.in_progress > 0

    @property
    def service(self) -> str:
        """Full name of the service, e.g. "mediaapi.v1.IngestService"."""
        return self.rpc.containing_service.full_name

    @property
    def rpc_path(self) -> str:
        """The RPC as gRPC names it, e.g. "/mediaapi.v1.IngestService/GetMedia"."""
        return f"/{self.service}/{self.rpc.name}"

    @property
    def is_list(self) -> bool:
        """Answers with pages that follow each other by cursor."""
        return "next_cursor" in self.rpc.output_type.fields_by_name

    @property
    def answers_secret(self) -> bool:
        """Its answer shows something that may be shown once only."""
        return bool(secret_fields(self.rpc.output_type))


def secret_fields(message: Descriptor) -> list[FieldDescriptor]:
    """Direct fields of `message` that are marked secret."""
    return [
        field
        for field in message.fields
        if field.GetOptions().Extensions[options_pb2.sensitivity] == options_pb2.SENSITIVITY_SECRET
    ]


@dataclass(frozen=True, slots=True)
class Match:
    """A route and the values of its path variables, by proto field name."""

    route: Route
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every public route; immutable once built."""

    routes: tuple[Route, ...]
    _by_length: Mapping[int, Sequence[Route]] = field(repr=False)

    @classmethod
    def of(cls, services: Iterable[ServiceDescriptor]) -> "RouteTable":
        """Read the table. Raises: RouteError where two routes collide or an option is missing."""
        routes = tuple(route for service in services for route in _routes(service))
        by_length: dict[int, list[Route]] = {}
        taken: set[tuple[str, str]] = set()
        for route in routes:
            shape = (route.method, re.sub(r"\{[^}]*\}", "{}", route.template))
            if shape in taken:
                raise RouteError(f"{route.method} {route.template} is declared twice.")
            taken.add(shape)
            by_length.setdefault(len(route.segments), []).append(route)
        for candidates in by_length.values():  # A literal wins over a variable.
            candidates.sort(key=_variable_places)
        return cls(routes, by_length)

    @property
    def scopes(self) -> frozenset[str]:
        """Every scope some route asks for."""
        return frozenset(route.scope for route in self.routes)

    def find(self, method: str, template: str) -> Route | None:
        """The route declared as exactly that."""
        found = (route for route in self.routes if route.method == method and route.template == template)
        return next(found, None)

    def match(self, method: str, raw_path: bytes) -> Match:
        """Find the route of a request; HEAD finds GET's.

        Raises:
            MediaError: NOT_FOUND, or METHOD_NOT_ALLOWED with `allow`, the methods this path has.
        """
        wanted = "GET" if method == "HEAD" else method
        segments = _segments(raw_path)
        allowed: set[str] = set()
        nearest: list[bool] | None = None
        for route in self._by_length.get(len(segments), ()):
            variables = _bind(route, segments)
            if variables is None:
                continue
            nearest = nearest or _variable_places(route)
            if _variable_places(route) != nearest:
                break  # What a literal names is no id: it has no methods of one.
            if route.method == wanted:
                return Match(route, variables)
            allowed.update((route.method, "HEAD") if route.method == "GET" else (route.method,))
        if allowed:
            raise MediaError(Code.METHOD_NOT_ALLOWED, method=method, allow=", ".join(sorted(allowed)))
        raise MediaError(Code.NOT_FOUND)


def _variable_places(route: Route) -> list[bool]:
    return [segment.startswith("{") for segment in route.segments]


def _segments(raw_path: bytes) -> tuple[str, ...]:
    try:
        parts = tuple(unquote_to_bytes(part).decode("utf-8") for part in raw_path.split(b"/")[1:])
    except UnicodeDecodeError as exc:
        raise MediaError(Code.NOT_FOUND) from exc
    if any(_UNPRINTABLE.search(part) for part in parts):
        raise MediaError(Code.NOT_FOUND)
    return parts


def _bind(route: Route, segments: Sequence[str]) -> dict[str, str] | None:
    variables: dict[str, str] = {}
    for pattern, segment in zip(route.segments, segments, strict=True):
        if pattern.startswith("{"):
            if not segment:
                return None
            variables[pattern[1:-1]] = segment
        elif pattern != segment:
            return None
    return variables


def _routes(service: ServiceDescriptor) -> Iterable[Route]:
    for rpc in service.methods:
        options = rpc.GetOptions()
        if options.HasExtension(annotations_pb2.http):
            yield _route(rpc, options.Extensions[annotations_pb2.http], options.Extensions[options_pb2.route])


def _route(rpc: MethodDescriptor, http: http_pb2.HttpRule, route: options_pb2.Route) -> Route:
    verb = http.WhichOneof("pattern")
    if verb not in ("get", "post", "put", "patch", "delete"):
        raise RouteError(f"{rpc.full_name}: {verb} has no HTTP method here.")
    template: str = getattr(http, verb)
    segments = tuple(template.split("/")[1:])
    variables = tuple(match[1] for match in map(_VARIABLE.match, segments) if match)
    if not route.success or not route.scope:
        raise RouteError(f"{rpc.full_name}: a public route needs `success` and `scope`.")
    if http.body not in ("", "*"):
        raise RouteError(f"{rpc.full_name}: body must be the whole message or nothing.")
    streams = (route.multipart or route.pieces, route.attachment or route.events)
    if (rpc.client_streaming, rpc.server_streaming) != streams:
        raise RouteError(f"{rpc.full_name}: a stream must be an upload, an attachment or events.")
    if not rpc.client_streaming:
        _check_request(rpc, variables)
    found = Route(
        method=verb.upper(),
        template=template,
        segments=segments,
        variables=variables,
        has_body=http.body == "*",
        success=route.success,
        in_progress=route.in_progress,
        scope=route.scope,
        multipart=route.multipart,
        pieces=route.pieces,
        attachment=route.attachment,
        events=route.events,
        rpc=rpc,
    )
    if not route.json_rpc:
        return found
    twin = rpc.containing_service.methods_by_name.get(route.json_rpc)
    if twin is None or twin.client_streaming or twin.server_streaming or twin.output_type is not rpc.output_type:
        raise RouteError(f"{rpc.full_name}: {route.json_rpc} cannot take its JSON bodies.")
    return replace(found, json_twin=replace(found, multipart=False, fetches=True, rpc=twin))


def _check_request(rpc: MethodDescriptor, variables: Sequence[str]) -> None:
    fields = rpc.input_type.fields_by_name
    for name in variables:
        if name not in fields or fields[name].type != FieldDescriptor.TYPE_STRING or is_map(fields[name]):
            raise RouteError(f"{rpc.full_name}: the path variable {name} is no string field of its request.")
