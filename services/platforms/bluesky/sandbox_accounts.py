"""The sandbox's accounts: any identifier is one, and opens with any password the sandbox takes.

Limits and refusals as the PDS has them; refresh tokens are taken again, as a PDS does for two hours.
Source: bluesky-social/atproto packages/pds/src/api/com/atproto/server/, packages/pds/src/auth-verifier.ts.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from services.platforms.bluesky import tokens
from services.platforms.calls import list_at, text_at
from services.platforms.ports import JSON
from services.platforms.sandboxing.state import SandboxState, is_valid
from services.platforms.sandboxing.web import RefusedError

PDS_DID = "did:web:localhost"  # a did:web cannot name an address
AUDIENCES = (PDS_DID, "did:web:video.bsky.app")  # as which the sandbox answers
ACCESS_LASTS_S, REFRESH_LASTS_S = 120 * 60, 90 * 24 * 3_600
MAX_AHEAD_S, MAX_AHEAD_WITHOUT_METHOD_S = 3_600, 60  # of service tokens
LOGINS = ((300, 24 * 3_600), (30, 300))  # so many in so many seconds, per account and address
AUDIENCE = re.compile(r"did:(plc:[a-z2-7]{24}|web:(localhost(%3A\d+)?|[a-z0-9-]+(\.[a-z0-9-]+)+))(#[A-Za-z0-9_-]+)?")


def refused(status: int, error: str, message: str, headers: dict[str, str] | None = None) -> RefusedError:
    """An XRPC error."""
    return RefusedError(status, {"error": error, "message": message}, headers)


def too_many(limit: int = 3_000, window_s: int = 300) -> RefusedError:
    """The answer past a limit."""
    headers = {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": str(int(time.time()) + window_s),
        "RateLimit-Policy": f"{limit};w={window_s}",
    }
    return refused(429, "RateLimitExceeded", "Rate Limit Exceeded", headers)


@dataclass(frozen=True, slots=True)
class Owner:
    """An account of the sandbox."""

    did: str
    handle: str


class Accounts:
    """Sessions and tokens."""

    def __init__(self, state: SandboxState) -> None:
        self._store = state.store
        self._public_url = state.public_url

    async def log_in(self, identifier: str, password: str, address: str) -> Mapping[str, JSON]:
        """A new session. Raises RefusedError."""
        await self._count_login(f"{identifier}-{address}")
        if not is_valid(password):
            raise refused(401, "AuthenticationRequired", "Invalid identifier or password")
        owner = await self._owner(identifier)
        return await self._session(owner)

    async def renew(self, request: Request) -> Mapping[str, JSON]:
        """A new session for a refresh token. Raises RefusedError."""
        did = text_at(await self._claims(request, "refresh+jwt"), "sub")
        return await self._session(await self._known(did))

    async def authorize(self, request: Request) -> Owner:
        """Whose access token the request carries. Raises RefusedError."""
        return await self._known(text_at(await self._claims(request, "at+jwt"), "sub"))

    async def sign_service_token(self, owner: Owner, audience: str, method: str, expires: float) -> str:
        """What another service takes as from this account. Raises RefusedError."""
        if not AUDIENCE.fullmatch(audience):
            message = "aud must be a valid atproto DID or did#serviceId reference"
            raise refused(400, "InvalidRequest", message)
        ahead_s = expires - time.time()
        if ahead_s < 0:
            raise refused(400, "BadExpiration", "expiration is in past")
        if ahead_s > MAX_AHEAD_S:
            message = "cannot request a token with an expiration more than an hour in the future"
            raise refused(400, "BadExpiration", message)
        if not method and ahead_s > MAX_AHEAD_WITHOUT_METHOD_S:
            message = "cannot request a method-less token with an expiration more than a minute in the future"
            raise refused(400, "BadExpiration", message)
        claims: dict[str, JSON] = {"iss": owner.did, "aud": audience, "lxm": method, "exp": expires}
        return tokens.issue(await self.key(), kind="JWT", claims=claims)

    async def authorize_service(self, request: Request, method: str) -> Owner:
        """For whom another service's endpoint is called. Raises RefusedError."""
        claims = await self._claims(request, "JWT")
        if text_at(claims, "lxm") != method:
            raise refused(401, "BadJwtLexiconMethod", f'bad jwt lexicon method ("lxm"). must match: {method}')
        if text_at(claims, "aud") not in AUDIENCES:
            raise refused(401, "BadJwtAudience", "jwt audience does not match service did")
        return await self._known(text_at(claims, "iss"))

    async def resolve(self, name: str) -> Owner | None:
        """The account of this handle or DID."""
        found = await self._store.get("account", name)
        return Owner(text_at(found, "did"), text_at(found, "handle")) if found else None

    async def key(self) -> bytes:
        """What tokens are signed with; made once per sandbox."""
        await self._store.add("secret", "jwt", {"key": secrets.token_hex(32)})
        return bytes.fromhex(text_at(await self._store.get("secret", "jwt") or {}, "key"))

    async def _count_login(self, who: str) -> None:
        now, exceeded = time.time(), []

        def count(doc: Mapping[str, JSON]) -> Mapping[str, JSON]:
            recent = [it for it in list_at(doc, "at") if isinstance(it, float) and it > now - LOGINS[0][1]]
            for limit, window_s in LOGINS:
                if sum(it > now - window_s for it in recent) >= limit:
                    exceeded.append((limit, window_s))
            return doc if exceeded else {"at": [*recent, now]}

        await self._store.add("logins", who, {"at": []})
        await self._store.update("logins", who, count)
        if exceeded:
            raise too_many(*exceeded[-1])

    async def _owner(self, identifier: str) -> Owner:
        handle = identifier.lower().replace("@", ".")
        if handle.startswith("did:"):
            return await self._known(handle)
        digest = base64.b32encode(hashlib.sha256(handle.encode()).digest()).decode().lower()
        did = f"did:plc:{digest[:24]}"
        for name in (handle, did):
            await self._store.add("account", name, {"did": did, "handle": handle})
        return Owner(did, handle)

    async def _known(self, did: str) -> Owner:
        found = await self.resolve(did)
        if found is None:
            raise refused(401, "AuthenticationRequired", "Invalid identifier or password")
        return found

    async def _session(self, owner: Owner) -> Mapping[str, JSON]:
        key, now = await self.key(), int(time.time())

        def token(kind: str, scope: str, lasts_s: int) -> str:
            claims: dict[str, JSON] = {
                "scope": scope, "aud": PDS_DID, "sub": owner.did, "iat": now, "exp": now + lasts_s,
                "jti": secrets.token_hex(16),
            }  # fmt: skip
            return tokens.issue(key, kind=kind, claims=claims)

        service: JSON = {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": self._public_url,
        }
        return {
            "accessJwt": token("at+jwt", tokens.ACCESS, ACCESS_LASTS_S),
            "refreshJwt": token("refresh+jwt", tokens.REFRESH, REFRESH_LASTS_S),
            "did": owner.did,
            "handle": owner.handle,
            "didDoc": {"id": owner.did, "alsoKnownAs": [f"at://{owner.handle}"], "service": [service]},
            "active": True,
        }

    async def _claims(self, request: Request, kind: str) -> Mapping[str, JSON]:
        given = request.headers.get("authorization", "")
        if not given:
            raise refused(401, "AuthMissing", "Authentication Required")
        try:
            return tokens.read(await self.key(), given.removeprefix("Bearer "), kind=kind, now=time.time())
        except tokens.TokenExpiredError as exc:
            raise refused(400, "ExpiredToken", "Token has expired") from exc
        except tokens.TokenInvalidError as exc:
            raise refused(400, "InvalidToken", "Token could not be verified") from exc
