"""Plays a PDS and its video service, for test accounts: limits, states and refusals as theirs.

The same tests run against this and against @atproto/pds. Source: bluesky-social/atproto packages/pds/src/api.
"""

import secrets
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.platforms.bluesky import cid, lexicon
from services.platforms.bluesky.record import COLLECTION
from services.platforms.bluesky.sandbox_accounts import PDS_DID, Accounts, refused, too_many
from services.platforms.bluesky.sandbox_blobs import UPLOAD_MAX_BYTES, Blobs
from services.platforms.bluesky.sandbox_video import VideoService
from services.platforms.bluesky.tid import tid
from services.platforms.calls import at, list_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState, now
from services.platforms.sandboxing.web import POSTS, RefusedError, build, json_body

MAX_JSON_BYTES = 1_000_000
TAKEN = refused(500, "InternalServerError", "Internal Server Error")  # what a PDS answers for a key it has


def app(state: SandboxState) -> ASGIApp:
    """The sandbox."""
    accounts, blobs = Accounts(state), Blobs(state.store)
    routes = [*Pds(state, accounts, blobs).routes(), *VideoService(state.store, accounts, blobs).routes()]
    unknown = refused(501, "MethodNotImplemented", "Method Not Implemented")
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

    async def _describe(self, _: Request) -> Response:
        return JSONResponse(
            {
                "did": PDS_DID, "availableUserDomains": [".test"], "inviteCodeRequired": False,
                "blobUploadLimit": UPLOAD_MAX_BYTES, "links": {}, "contact": {},
            }
        )  # fmt: skip

    async def _log_in(self, request: Request) -> Response:
        wanted = await _json(request)
        for name in ("identifier", "password"):
            if not isinstance(wanted.get(name), str):
                raise refused(400, "InvalidRequest", f'Missing required key "{name}" at $')
        address = request.client.host if request.client else ""
        session = await self._accounts.log_in(str(wanted["identifier"]), str(wanted["password"]), address)
        return JSONResponse(session)

    async def _refresh(self, request: Request) -> Response:
        return JSONResponse(await self._accounts.renew(request))

    async def _service_auth(self, request: Request) -> Response:
        owner, query = await self._accounts.authorize(request), request.query_params
        expires = query.get("exp", "")
        until = float(expires) if expires.isdigit() else time.time() + 60
        token = await self._accounts.sign_service_token(owner, query.get("aud", ""), query.get("lxm", ""), until)
        return JSONResponse({"token": token})

    async def _resolve(self, request: Request) -> Response:
        owner = await self._accounts.resolve(request.query_params.get("handle", "").lower())
        if owner is None:
            raise refused(400, "HandleNotFound", "Unable to resolve handle")
        return JSONResponse({"did": owner.did})

    async def _upload_blob(self, request: Request) -> Response:
        owner = await self._accounts.authorize(request)
        arrived = await self._blobs.receive(request, UPLOAD_MAX_BYTES)
        kind = request.headers.get("content-type", "application/octet-stream")
        return JSONResponse({"blob": await self._blobs.track(owner.did, arrived, kind)})

    async def _get_blob(self, request: Request) -> Response:
        query = request.query_params
        found = await self._blobs.find(query.get("did", ""), query.get("cid", ""))
        if found is None:
            raise refused(400, "BlobNotFound", "Blob not found")
        path = self._store.file(text_at(found, "media", "sha256"))
        return FileResponse(path, media_type=text_at(found, "reference", "mimeType"))

    async def _get_record(self, request: Request) -> Response:
        repo, collection, rkey = (request.query_params.get(name, "") for name in ("repo", "collection", "rkey"))
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
        wanted = await _json(request)
        for name in ("repo", "collection", "record"):
            if name not in wanted:
                raise refused(400, "InvalidRequest", f'Missing required key "{name}" at $')
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
    record, collection = wanted["record"], wanted["collection"]
    if not isinstance(record, dict) or collection != COLLECTION:
        raise refused(400, "InvalidRequest", f"The sandbox takes records of {COLLECTION} only")
    rkey = wanted.get("rkey") or tid(now(), secrets.randbits(10))
    try:
        lexicon.check_key(str(rkey))
        lexicon.check_post(record)
    except lexicon.RecordInvalidError as exc:
        raise refused(400, "InvalidRequest", str(exc)) from exc
    return {"$type": COLLECTION, **record}, str(rkey)


def _received(uri: str, handle: str, record: Mapping[str, JSON], media: list[dict[str, JSON]]) -> dict[str, JSON]:
    """The post in the shape all sandboxes show."""
    images = list_at(record, "embed", "images")
    alts = [at(image, "alt") for image in images] or [at(record, "embed", "alt")]
    return {
        "id": uri,
        "account": handle,
        "text": record["text"],
        "createdAt": record["createdAt"],
        "media": [{**one, "altText": alt or None} for one, alt in zip(media, alts, strict=False)],
        "record": dict(record),
    }


async def _json(request: Request) -> Mapping[str, JSON]:
    def malformed(why: str) -> RefusedError:
        return refused(400, "InvalidRequest", why)

    return await json_body(request, malformed, MAX_JSON_BYTES)
