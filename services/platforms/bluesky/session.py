"""Sessions with a PDS: opened rarely, since 30 in 5 minutes and 300 a day are the limit; kept in memory, renewed.

A restart costs one session per account, so nothing of it is stored. Credentials: `identifier` (handle, DID or e-mail),
`password` (an app password), and optionally `video_service`, see video.py.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import httpx

from services.platforms.bluesky import refusals
from services.platforms.calls import answered_without, at, body, list_at, number_at, repeatable, text_at
from services.platforms.ports import JSON, Account, Fault, PlatformError

ENTRYWAY = "https://bsky.social"

KEPT = 10_000  # sessions; the one used longest ago goes first
MARGIN_S = 120.0  # a token this close to its end is renewed first
UNREADABLE_LASTS_S = 1_800.0  # of tokens that do not tell their end; real ones last 120 minutes
NEW_S = 60.0  # a session refused this soon after its password was taken is not refused for its age
AGAIN_AFTER_S = 0.1

# What a PDS says of tokens it does not take any more, although the password may be as good as ever.
_STALE = frozenset({"expired_token", "invalid_token", "authentication_required", "auth_missing"})


@dataclass(frozen=True, slots=True)
class Session:
    """An open session.

    Attributes:
        base_url: The PDS.   handle: may be "handle.invalid" while its domain does not confirm it.
        fresh_until: Seconds since 1970, when the access token must have been renewed.
        opened_at: Seconds since 1970, when the password was taken.
    """

    base_url: str
    did: str
    handle: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    fresh_until: float
    opened_at: float

    @property
    def headers(self) -> dict[str, str]:
        """Those of a request by this session."""
        return {"Authorization": f"Bearer {self.access_token}"}


class Sessions:
    """Opens, keeps and renews sessions, one per account."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def open(self, http: httpx.AsyncClient, account: Account) -> Session:
        """A session that lasts for the next call. Raises PlatformError; ACCOUNT if the credentials are refused."""
        key = _key(account)
        try:
            async with self._locks.setdefault(key, asyncio.Lock()):
                session = self._open.get(key)
                if session is None or session.fresh_until < time.time():
                    session = (session and await _renew(http, session)) or await create(http, account)
                self._keep(key, session)
        finally:
            if key not in self._open:
                self._locks.pop(key, None)
        return session

    async def reopen(self, http: httpx.AsyncClient, account: Account) -> Session:
        """A new session by password, whatever is open. Raises as open()."""
        session = await create(http, account)
        self._keep(_key(account), session)
        return session

    def refused(self, account: Account, error: PlatformError) -> PlatformError:
        """What to raise for a call by this session that ended so.

        A session that is no longer taken is renewed, or else opened by password, when the call is made again.
        """
        key = _key(account)
        session = self._open.get(key)
        if error.code not in _STALE or session is None:
            return error
        if error.code == "expired_token":
            self._open[key] = replace(session, fresh_until=0.0)
        elif time.time() - session.opened_at < NEW_S:
            return error
        else:
            del self._open[key]
        return PlatformError(
            Fault.NOT_READY, "session_renewed", "The session with Bluesky is renewed.", retry_after_s=AGAIN_AFTER_S
        )

    def _keep(self, key: str, session: Session) -> None:
        self._open[key] = session
        self._open.move_to_end(key)
        while len(self._open) > KEPT:
            oldest, _ = self._open.popitem(last=False)
            self._locks.pop(oldest, None)


async def create(http: httpx.AsyncClient, account: Account) -> Session:
    """A new session by password. Raises PlatformError."""
    identifier = account.credentials.get("identifier", "").strip().removeprefix("@")
    password = account.credentials.get("password", "")
    if not (identifier and password):
        raise PlatformError(Fault.ACCOUNT, "credentials_incomplete", "Bluesky needs identifier and password.")
    base_url = account.base_url or ENTRYWAY
    answer = await repeatable(
        http.post(
            f"{base_url}/xrpc/com.atproto.server.createSession", json={"identifier": identifier, "password": password}
        )
    )
    if not answer.is_success:
        raise refusals.refusal(answer)
    found = body(answer)
    return Session(
        # A self-hosted service stays where its owner said it is; the entryway says where the account really lives.
        base_url=_pds(found, base_url) if account.base_url is None else base_url,
        did=_required(found, "did"),
        handle=text_at(found, "handle") or identifier,
        access_token=_required(found, "accessJwt"),
        refresh_token=_required(found, "refreshJwt"),
        fresh_until=_fresh_until(_required(found, "accessJwt")),
        opened_at=time.time(),
    )


async def _renew(http: httpx.AsyncClient, session: Session) -> Session | None:
    """The session with new tokens; None if the PDS wants the password again."""
    answer = await repeatable(
        http.post(
            f"{session.base_url}/xrpc/com.atproto.server.refreshSession",
            headers={"Authorization": f"Bearer {session.refresh_token}"},
        )
    )
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise refusals.refusal(answer)
    if not answer.is_success:
        return None
    found = body(answer)
    access_token = _required(found, "accessJwt")
    return replace(
        session,
        handle=text_at(found, "handle") or session.handle,
        access_token=access_token,
        refresh_token=_required(found, "refreshJwt"),
        fresh_until=_fresh_until(access_token),
    )


def _key(account: Account) -> str:
    """Other credentials are another session; the password itself is kept nowhere but in the account."""
    named = [
        account.account_id,
        account.base_url,
        account.credentials.get("identifier"),
        account.credentials.get("password"),
    ]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _pds(found: Mapping[str, JSON], base_url: str) -> str:
    """Where the account lives, from its DID document; the asked service if that does not say."""
    for service in list_at(found, "didDoc", "service"):
        endpoint = text_at(service, "serviceEndpoint")
        if text_at(service, "id").endswith("#atproto_pds") and urlsplit(endpoint).hostname:
            return endpoint.rstrip("/")
    return base_url


def _required(found: Mapping[str, JSON], name: str) -> str:
    value = text_at(found, name)
    if not value:
        raise answered_without("The service", name)
    return value


def _fresh_until(token: str) -> float:
    """From the token's own `exp`, which is read and not trusted: being wrong costs one renewal."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims: JSON = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        claims = None
    expires = number_at(claims, "exp") if at(claims, "exp") is not None else None
    return (expires if expires is not None else time.time() + UNREADABLE_LASTS_S) - MARGIN_S
