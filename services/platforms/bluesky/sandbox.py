"""Plays a PDS and its video service, for test accounts: limits, states and refusals as theirs.

The same tests run against this and against @atproto/pds. Source: bluesky-social/atproto packages/pds/src/api.
"""

import secrets
import time
from collections.abc import Mapping
from typing import cast

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.bluesky import cid, formats, lexicon, schema
from services.platforms.bluesky.record import COLLECTION
from services.platforms.bluesky.sandbox_accounts import PDS_DID, Accounts, refused, too_many
from services.platforms.bluesky.sandbox_blobs import UPLOAD_MAX_BYTES, Blobs
from services.platforms.bluesky.sandbox_multipart import MultipartService
from services.platforms.bluesky.sandbox_video import VideoService
from services.platforms.bluesky.tid import tid
from services.platforms.calls import at, list_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState, now
from services.platforms.sandboxing.web import POSTS, RefusedError, build, json_body

DOMAIN = ".test"  # of handles the PDS itself gives out
MAX_JSON_BYTES = 1_000_000
TAKEN = refused(500, "InternalServerError", "Internal Server Error")  # what a PDS answers for a key it has


def app(state: SandboxState, *, takes_parts: bool = True) -> ASGIApp:
    """The sandbox. takes_parts: whether its video service knows uploads in parts."""
    accounts, blobs = Accounts(state), Blobs(state.store)
    videos = VideoService(state.store, accounts, blobs)
    parts = MultipartService(state.store, accounts, blobs, videos, is_known=takes_parts)
    routes = [*Pds(state, accounts, blobs).routes(), *videos.routes(), *parts.routes()]
    routes.append(Route("/xrpc/{method}", Pds.unserved, methods=["GET", "POST"]))
    unknown = refused(404, "NotFound", "There is nothing at this path")
    return build(state, routes, too_many=too_many, unknown=unknown)


class Pds:
    """com.atproto.{server,identity,repo,sync}, as much as publishing needs."""

    def __init__(self, state: SandboxState, accounts: Accounts, blobs: Blobs) -> None:
        self._store = state.store
        self._accounts = accounts
        self._blobs = blobs

    def routes(self) -> list[Route]:
        """Below the sandbox's root."""
        gets = {
            "server.describeServer": self._describe,
            "server.getServiceAuth": self._service_auth,
            "identity.resolveHandle": self._resolve,
            "repo.getRecord": self._get_record,
            "sync.getBlob": self._get_blob,
        }
        posts = {
            "server.createSession": self._log_in,
            "server.refreshSession": self._refresh,
            "repo.uploadBlob": self._upload_blob,
            "repo.createRecord": self._create_record,
        }
        return [
            *(Route(f"/xrpc/com.atproto.{name}", to, methods=["GET"]) for name, to in gets.items()),
            *(Route(f"/xrpc/com.atproto.{name}", to, methods=["POST"]) for name, to in posts.items()),
        ]

    @staticmethod
    async def unserved(request: Request) -> Response:
        """A method neither the PDS nor a service behind it has."""
        raise refused(400, "InvalidRequest", f"No service configured for {request.path_params['method']}")

    async def _describe(self, _: Request) -> Response:
        return JSONResponse(
            {
                "did": PDS_DID, "availableUserDomains": [DOMAIN], "inviteCodeRequired": False,
                "blobUploadLimit": UPLOAD_MAX_BYTES, "links": {}, "contact": {},
            }
        )  # fmt: skip

    async def _log_in(self, request: Request) -> Response:
        wanted = await _json(request, {"identifier": schema.string(), "password": schema.string()})
        address = request.client.host if request.client else ""
        session = await self._accounts.log_in(str(wanted["identifier"]), str(wanted["password"]), address)
        return JSONResponse(session)

    async def _refresh(self, request: Request) -> Response:
        return JSONResponse(await self._accounts.renew(request))

    async def _service_auth(self, request: Request) -> Response:
        owner, query = await self._accounts.authorize(request), request.query_params
        (audience,) = _parameters(request, "aud")
        expires = query.get("exp", "")
        until = float(expires) if expires.isdigit() else time.time() + 60
        token = await self._accounts.sign_service_token(owner, audience, query.get("lxm", ""), until)
        return JSONResponse({"token": token})

    async def _resolve(self, request: Request) -> Response:
        (handle,) = _parameters(request, "handle")
        if not formats.is_handle(handle):
            raise _invalid_parameters(request, f"Invalid handle (got {schema.shown(handle)})")
        owner = await self._accounts.resolve(handle.lower())
        if owner is None:
            own = handle.lower().endswith(DOMAIN)
            raise refused(400, "HandleNotFound" if own else "InvalidRequest", "Unable to resolve handle")
        return JSONResponse({"did": owner.did})

    async def _upload_blob(self, request: Request) -> Response:
        owner = await self._accounts.authorize(request)
        kind = request.headers.get("content-type")
        if kind is None:
            raise refused(400, "InvalidRequest", "Request encoding (Content-Type) required but not provided")
        arrived = await self._blobs.receive(request, UPLOAD_MAX_BYTES)
        return JSONResponse({"blob": await self._blobs.track(owner.did, arrived, kind)})

    async def _get_blob(self, request: Request) -> Response:
        found = await self._blobs.find(*_parameters(request, "did", "cid"))
        if found is None:
            raise refused(400, "InvalidRequest", "Blob not found")
        path = self._store.file(text_at(found, "media", "sha256"))
        return FileResponse(path, media_type=text_at(found, "reference", "mimeType"))

    async def _get_record(self, request: Request) -> Response:
        repo, collection, rkey = _parameters(request, "repo", "collection", "rkey")
        owner = await self._accounts.resolve(repo)
        if owner is None:
            raise refused(400, "InvalidRequest", "Could not locate record")
        uri = f"at://{owner.did}/{collection}/{rkey}"
        found = await self._store.get("record", uri)
        if found is None:
            raise refused(400, "RecordNotFound", f"Could not locate record: {uri}")
        return JSONResponse(found)

    async def _create_record(self, request: Request) -> Response:
        owner = await self._accounts.authorize(request)
        identifier = schema.matching(formats.is_identifier, "AT identifier")
        required = {"repo": identifier, "collection": schema.string(), "record": schema.fields({})}
        wanted = await _json(request, required)
        meant = await self._accounts.resolve(str(wanted["repo"]))
        if meant is None:
            raise refused(403, "AccountNotFound", "Account not found")
        if meant != owner:
            raise refused(401, "AuthenticationRequired", "Authentication Required")
        record, rkey = _checked(wanted)
        uri = f"at://{owner.did}/{COLLECTION}/{rkey}"
        if await self._store.get("record", uri) is not None:
            raise TAKEN
        media = [await self._blobs.use(owner.did, blob) for blob in lexicon.blobs(dict(record))]
        link = cid.of_record(record)
        if not await self._store.add("record", uri, {"uri": uri, "cid": link, "value": dict(record)}):
            raise TAKEN
        await self._store.add(POSTS, uri, _received(uri, owner.handle, record, media))
        return JSONResponse({"uri": uri, "cid": link, "validationStatus": "valid"})


def _checked(wanted: Mapping[str, JSON]) -> tuple[Mapping[str, JSON], str]:
    """The record with its type, and its key. Raises RefusedError."""
    if wanted["collection"] != COLLECTION:
        raise refused(400, "InvalidRequest", f"The sandbox takes records of {COLLECTION} only")
    record = cast(Mapping[str, JSON], lexicon.as_read_by_pds(wanted["record"]))
    rkey = wanted["rkey"] if "rkey" in wanted else tid(now(), secrets.randbits(10))
    try:
        lexicon.check_key(rkey)
        lexicon.check_post(record)
    except lexicon.RecordInvalidError as exc:
        raise refused(400, "InvalidRequest", str(exc)) from exc
    return {"$type": COLLECTION, **record}, str(rkey)


def _received(uri: str, handle: str, record: Mapping[str, JSON], media: list[dict[str, JSON]]) -> dict[str, JSON]:
    """The post in the shape all sandboxes show."""
    images = list_at(record, "embed", "images") or list_at(record, "embed", "items")
    alts = [at(image, "alt") for image in images] or [at(record, "embed", "alt")]
    return {
        "id": uri,
        "account": handle,
        "text": record["text"],
        "createdAt": record["createdAt"],
        "media": [{**one, "altText": alt or None} for one, alt in zip(media, alts, strict=False)],
        "replyTo": text_at(record, "reply", "parent", "uri"),
        "record": dict(record),
    }


async def _json(request: Request, required: Mapping[str, schema.Check]) -> Mapping[str, JSON]:
    """The body, with these fields. Raises RefusedError."""

    def malformed(why: str) -> RefusedError:
        return refused(400, "InvalidRequest", why)

    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_JSON_BYTES:
        raise refused(413, "PayloadTooLargeError", "request entity too large")
    found = await json_body(request, malformed, MAX_JSON_BYTES)
    try:
        schema.fields(required)(dict(found), "$")
    except schema.UnfitError as exc:
        raise malformed(str(exc)) from exc
    return found


def _parameters(request: Request, *names: str) -> list[str]:
    """Required query parameters. Raises RefusedError."""
    for name in names:
        if name not in request.query_params:
            raise _invalid_parameters(request, f'Missing required key "{name}"')
    return [request.query_params[name] for name in names]


def _invalid_parameters(request: Request, why: str) -> RefusedError:
    method = request.url.path.rpartition("/")[2]
    return refused(400, "InvalidRequest", f"Invalid {method} params: {why}")
