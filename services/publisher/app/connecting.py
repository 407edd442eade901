"""Connecting accounts: tried upstream, sealed, kept."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from services.common.errors import Code, MediaError, Violation
from services.common.guarded_http import DestinationRefused
from services.platforms import ports as platforms
from services.publisher.app.sessions import Sessions
from services.publisher.domain.account import Account, AccountFilter, AccountStatus
from services.publisher.ports import Accounts, Caller, Position, Vault

log = logging.getLogger("publisher.connecting")

VERIFY_MAX_S = 20.0
MAX_CREDENTIALS = 32
MAX_CREDENTIAL_CHARS = 16_384  # the longest tokens in use are JWTs of a few kB
MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountInput:
    """An account as a caller gives it. platform is the platform's own id."""

    platform: str
    display_name: str
    credentials: Mapping[str, object] = field(repr=False)
    service_url: str | None


class Connect:
    """Use cases around connected accounts."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        vault: Vault,
        publishers: Mapping[str, platforms.Publisher],
        http: httpx.AsyncClient,
        now: Callable[[], datetime],
        new_id: Callable[[str], str],
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._vault = vault
        self._publishers = publishers
        self._http = http
        self._now = now
        self._new_id = new_id

    async def create(self, caller: Caller, wanted: AccountInput, account_id: str | None = None) -> Account:
        """Verifies the credentials upstream and keeps them sealed.

        An account of this id is replaced. Without an id, one that the platform knows as the same is: its posts go on
        with the new credentials.

        Raises:
            MediaError: INVALID_REQUEST, PLATFORM_UNKNOWN, ACCOUNT_CREDENTIALS_INVALID,
                ACCOUNT_SCOPE_MISSING, UPSTREAM_BUSY.
        """
        publisher = self._publishers.get(wanted.platform)
        if publisher is None:
            raise MediaError(Code.PLATFORM_UNKNOWN, platform=wanted.platform)
        if violations := [*_problems(caller, wanted), *self._sandboxed(wanted)]:
            raise MediaError(Code.INVALID_REQUEST, violations=violations)
        known = account_id or self._new_id("acc")
        verified = await self._verify(caller, publisher, wanted, known)
        again = None
        if account_id is None:
            again = await self._accounts.same(caller, wanted.platform, verified.external_id, wanted.service_url)
        if again is not None:
            known = again.account_id
        account = Account(
            account_id=known,
            platform=wanted.platform,
            live=caller.live,
            display_name=wanted.display_name or (again.display_name if again else verified.display_name),
            external_id=verified.external_id,
            status=AccountStatus.ACTIVE,
            service_url=wanted.service_url,
            created_at=self._now(),
        )
        sealed = await self._vault.seal(caller.workspace_id, known, verified.credentials)
        if not await self._accounts.put(caller, account, sealed):
            taken = Violation("id", "is an account of another platform or mode")
            raise MediaError(Code.INVALID_REQUEST, violations=[taken])
        log.info("connected", extra={"account_id": known, "platform": wanted.platform, "live": caller.live})
        return await self.get(caller, known)

    async def get(self, caller: Caller, account_id: str) -> Account:
        """Raises ACCOUNT_NOT_FOUND."""
        account = await self._accounts.get(caller, account_id)
        if account is None:
            raise MediaError(Code.ACCOUNT_NOT_FOUND, account_id=account_id)
        return account

    async def page(
        self, caller: Caller, *, limit: int, after: Position | None, platform: str | None
    ) -> tuple[Sequence[Account], Position | None]:
        """A page, newest first, and where the next one starts."""
        found = await self._accounts.page(caller, limit=limit + 1, after=after, only=AccountFilter(platform))
        last = found[limit - 1] if len(found) > limit else None
        return found[:limit], None if last is None else Position(last.created_at, last.account_id)

    async def delete(self, caller: Caller, account_id: str) -> None:
        """Forgets the account and its credentials. Raises ACCOUNT_NOT_FOUND."""
        if not await self._accounts.delete(caller, account_id):
            raise MediaError(Code.ACCOUNT_NOT_FOUND, account_id=account_id)
        log.info("disconnected", extra={"account_id": account_id})

    def _sandboxed(self, wanted: AccountInput) -> list[Violation]:
        """The sandbox is trusted, and holds what everybody's test keys sent: it is no service of a live account."""
        if wanted.service_url is None or not _plain_url(wanted.service_url):
            return []
        if not self._sessions.in_sandbox(wanted.service_url):
            return []
        return [Violation("serviceUrl", "is the sandbox, which test keys use without one")]

    async def _verify(
        self, caller: Caller, publisher: platforms.Publisher, wanted: AccountInput, account_id: str
    ) -> platforms.VerifiedAccount:
        base_url = self._sessions.base_url(wanted.platform, live=caller.live, service_url=wanted.service_url)
        credentials = {name: str(value) for name, value in wanted.credentials.items()}
        try:
            async with asyncio.timeout(VERIFY_MAX_S):
                return await publisher.verify(self._http, platforms.Account(account_id, base_url, credentials))
        except platforms.PlatformError as exc:
            raise _refusal(wanted, exc) from exc
        except (TimeoutError, httpx.HTTPError) as exc:
            raise MediaError(Code.UPSTREAM_BUSY, upstream=wanted.platform) from exc


def _refusal(wanted: AccountInput, exc: platforms.PlatformError) -> MediaError:
    platform, cause = wanted.platform, exc.__cause__
    while cause is not None:
        if isinstance(cause, DestinationRefused) and wanted.service_url is not None:
            return MediaError(
                Code.INVALID_REQUEST, violations=[Violation("serviceUrl", "is not on the public internet")]
            )
        cause = cause.__cause__
    if isinstance(exc, platforms.ScopeMissingError):
        return MediaError(Code.ACCOUNT_SCOPE_MISSING, platform=platform, scopes=", ".join(exc.scopes))
    if exc.fault in (platforms.Fault.ACCOUNT, platforms.Fault.PERMANENT):
        return MediaError(Code.ACCOUNT_CREDENTIALS_INVALID, platform=platform, reason=exc.code)
    return MediaError(Code.UPSTREAM_BUSY, upstream=platform)


def _problems(caller: Caller, wanted: AccountInput) -> list[Violation]:
    """What is wrong with the request by itself. Values of credentials are never quoted."""
    found = []
    if not 1 <= len(wanted.credentials) <= MAX_CREDENTIALS:
        found.append(
            Violation("credentials", f"has {len(wanted.credentials)} entries; 1 to {MAX_CREDENTIALS} are allowed")
        )
    for name, value in wanted.credentials.items():
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_CREDENTIAL_CHARS:
            found.append(
                Violation(f"credentials.{name}", f"must be a string of 1 to {MAX_CREDENTIAL_CHARS} characters")
            )
    if len(wanted.display_name) > MAX_NAME_CHARS or "\0" in wanted.display_name:
        found.append(Violation("displayName", f"must be at most {MAX_NAME_CHARS} characters, without U+0000"))
    if wanted.service_url is not None and not caller.live:
        found.append(Violation("serviceUrl", "is for live keys: a test key's accounts live in the sandbox"))
    if wanted.service_url is not None and not _plain_url(wanted.service_url):
        found.append(Violation("serviceUrl", "must be an absolute http(s) URL without user, query or fragment"))
    return found


def _plain_url(url: str) -> bool:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(
        parts.scheme in ("https", "http") and parts.host and not (parts.userinfo or parts.query or parts.fragment)
    )
