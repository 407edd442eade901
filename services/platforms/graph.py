"""Meta's Graph protocol: requests in an account's name, what refusals mean, and tokens of 60 days.

Credentials: `access_token`, long-lived; `refreshed_at`, seconds since 1970, is kept beside it.
Sources, read 2026-10-10: developers.facebook.com/docs/graph-api/guides/error-handling,
…/docs/instagram-platform/reference/refresh_access_token, …/docs/threads/get-started/long-lived-tokens.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httpx

from services.platforms.calls import (
    WHOSE,
    answered_without,
    at,
    body,
    list_at,
    number_at,
    repeatable,
    retry_after_s,
    text_at,
)
from services.platforms.oauth import EXCHANGE_MAX_S, RENEWED, RENEWED_AFTER_S, refused
from services.platforms.ports import JSON, Account, Fault, PlatformError

MAX_MESSAGE_CHARS = 300
REGAINED_WITHIN_S = 86_400.0  # Meta counts over a day at most
# Of an allowance, in percent; Meta refuses at 100. The rest is for posts under way and for looking up lost answers.
HEEDED_FROM = 95.0
# Where Meta does not estimate: of calls spread evenly over the hour Meta counts, a twelfth is forgotten by then.
PAUSE_S = 300.0
SHARES = ("call_count", "total_time", "total_cputime")
REFRESH_EVERY_S = 7 * 86_400  # of the 60 days a token lasts; one younger than a day is not refreshed

Meaning = tuple[Fault, str]
CREDENTIALS: Meaning = (Fault.ACCOUNT, "credentials_refused")
BUSY: Meaning = (Fault.TRANSIENT, "upstream_busy")
RATE: Meaning = (Fault.TRANSIENT, "rate_limited")
NOT_PERMITTED: Meaning = (Fault.ACCOUNT, "not_permitted")

# Of every Graph API; a service adds its own.
_BY_CODE: Mapping[int, Meaning] = {
    -2: (Fault.REBUILD, "container_expired"), -1: BUSY, 1: BUSY, 2: BUSY,
    4: RATE, 17: RATE, 32: RATE, 613: RATE, 80001: RATE, 80002: RATE,
    3: NOT_PERMITTED, 10: NOT_PERMITTED, **dict.fromkeys(range(200, 300), NOT_PERMITTED),
    102: CREDENTIALS, 190: CREDENTIALS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Service:
    """One of Meta's APIs.

    Attributes:
        name: As people call it.   address: its public one, without a trailing slash.   version: "/v…".
        refresh_grant: The grant_type of a refresh.   user_id: the field of /me that its other paths begin with.
        meaning: What a code, a subcode and a message of its own mean; None where it is no special one.
    """

    name: str
    address: str
    version: str
    refresh_grant: str
    user_id: str
    meaning: Callable[[int, int, str], Meaning | None]


@dataclass(frozen=True, slots=True)
class Me:
    """Whose token it is."""

    user_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Graph:
    """One account's requests to a service.

    waits: Whether they are refused here while Meta wants the account left alone. Preparing a post may wait; its one
    mutation and what looks for it go on, for which there is room.
    """

    service: Service
    http: httpx.AsyncClient
    account: Account
    waits: bool = False

    def url(self, path: str) -> str:
        """path: without the version."""
        return f"{self._base}{self.service.version}{path}"

    @property
    def _base(self) -> str:
        return self.account.base_url or self.service.address

    @property
    def token(self) -> str:
        """Raises PlatformError(ACCOUNT) without one."""
        token = self.account.credentials.get("access_token", "")
        if not token:
            raise PlatformError(Fault.ACCOUNT, "credentials_incomplete", f"{self.service.name} needs an access_token.")
        return token

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request. Raises PlatformError: ACCOUNT without a token; TRANSIENT in a pause that is kept."""
        left_s = self.account.pauses.left_s(self.account.account_id) if self.waits else 0
        if left_s > 0:
            message = f"The account's allowance of requests to {self.service.name} is nearly used up."
            raise PlatformError(*RATE, message, retry_after_s=left_s)
        return {"Authorization": f"Bearer {self.token}"}

    async def get(self, path: str, query: Mapping[str, str]) -> Mapping[str, JSON]:
        """The answer's JSON. Raises PlatformError."""
        return await self.answered(self.http.get(self.url(path), params=query, headers=self.headers))

    async def post(self, path: str, form: Mapping[str, str]) -> Mapping[str, JSON]:
        """The same for a request that may be repeated."""
        return await self.answered(self.http.post(self.url(path), data=dict(form), headers=self.headers))

    async def send(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        """A request, for whoever reads its answer otherwise."""
        return self._heard(await self.http.post(self.url(path), data=dict(form), headers=self.headers))

    async def answered(self, call: Awaitable[httpx.Response]) -> Mapping[str, JSON]:
        """The JSON of what answers a call that may be repeated. Raises PlatformError."""
        answer = await self.asked(call)
        if not answer.is_success:
            raise refusal(self.service, answer)
        return body(answer)

    async def asked(self, call: Awaitable[httpx.Response]) -> httpx.Response:
        """The answer itself. Raises PlatformError(TRANSIENT) where there is none, or a 5xx."""
        return self._heard(await repeatable(call))

    def _heard(self, answer: httpx.Response) -> httpx.Response:
        if (seconds := wanted_pause_s(answer)) > 0:
            self.account.pauses.begin(self.account.account_id, seconds)
        return answer

    async def refreshed(self) -> Mapping[str, str] | None:
        """Credentials with a token that lasts 60 days again; None while that is not due.

        A token that is too young to be refreshed, or of a sort that never is, is as good as refreshed.
        Raises PlatformError: ACCOUNT if the token is refused; TRANSIENT.
        """
        if self._is_fresh:
            return None
        query = {"grant_type": self.service.refresh_grant, "access_token": self.token}
        answer = await repeatable(self.http.get(f"{self._base}/refresh_access_token", params=query))
        if not answer.is_success and (error := refusal(self.service, answer)).fault in (Fault.ACCOUNT, Fault.TRANSIENT):
            raise error
        token = text_at(body(answer), "access_token") if answer.is_success else ""
        return {
            **self.account.credentials,
            "access_token": token or self.token,
            "refreshed_at": str(int(time.time())),
        }

    @property
    def _is_fresh(self) -> bool:
        since = self.account.credentials.get("refreshed_at", "")
        return since.isdigit() and time.time() - int(since) < REFRESH_EVERY_S

    async def keep_fresh(self) -> None:
        """Refreshes the token when that is due, unless another post does, or its owner gave a new one meanwhile.

        The token is good for weeks yet, so a post does not wait for a refresh that cannot be had now.
        Raises PlatformError: NOT_READY once the new token is kept; ACCOUNT if the token is refused.
        """
        if self._is_fresh:
            return
        async with self.account.renewing() as ours:
            credentials = await self._refreshed_in_time() if ours else None
            if credentials is None:
                return
            await self.account.save(credentials)
        raise PlatformError(Fault.NOT_READY, RENEWED, "The access token was refreshed.", retry_after_s=RENEWED_AFTER_S)

    async def _refreshed_in_time(self) -> Mapping[str, str] | None:
        """Within the right to renew. None if it was not to be had."""
        try:
            async with asyncio.timeout(EXCHANGE_MAX_S):
                return await self.refreshed()
        except TimeoutError:
            return None
        except PlatformError as exc:
            if exc.fault is Fault.TRANSIENT:
                return None
            raise

    async def permalink(self, post_id: str) -> str | None:
        """A post is live whether or not the service says where."""
        try:
            return text_at(await self.get(f"/{post_id}", {"fields": "permalink"}), "permalink") or None
        except PlatformError:
            return None

    async def scopes(self, asking: str) -> list[str]:
        """What the account's token may do; empty where the service does not tell it to this other token."""
        call = self.http.get(
            self.url("/debug_token"),
            params={"input_token": self.token},
            headers={"Authorization": f"Bearer {asking}"},
        )
        answer = await self.asked(call)
        return [str(one) for one in list_at(body(answer), "data", "scopes")] if answer.is_success else []

    async def me(self) -> Me:
        """Asks whose token it is. Raises PlatformError."""
        found = await self.get("/me", {"fields": f"{self.service.user_id},username"})
        user_id, username = text_at(found, self.service.user_id), text_at(found, "username")
        if not (user_id and username):
            raise answered_without(self.service.name, WHOSE)
        return Me(user_id, username)


def refusal(service: Service, answer: httpx.Response) -> PlatformError:
    """The error of an answer that is no success: `{"error": {"message", "code", "error_subcode", …}}`."""
    found = body(answer)
    code, subcode = (int(number_at(found, "error", name) or 0) for name in ("code", "error_subcode"))
    said = text_at(found, "error", "error_user_msg") or text_at(found, "error", "message")
    said = said[:MAX_MESSAGE_CHARS] or f"{service.name} gave no reason."
    fault, meant = _meaning(service, answer.status_code, code, subcode, text_at(found, "error", "message"))
    if fault is Fault.PERMANENT and at(found, "error", "is_transient") is True:
        fault, meant = BUSY
    if (fault, meant) == CREDENTIALS:
        return refused(service.name)
    wait_s = retry_after_s(answer)
    return PlatformError(fault, meant, said, retry_after_s=regained_after_s(answer) if wait_s is None else wait_s)


def wanted_pause_s(answer: httpx.Response) -> float:
    """Seconds for which Meta is better left alone by what any answer tells of its allowances; 0 where there is room.

    X-App-Usage is `{"call_count": percent, "total_time": …, "total_cputime": …}`; so are the uses of the other header.
    """
    regained_s = regained_after_s(answer)
    if regained_s is not None:
        return regained_s
    uses = [_usage(answer, "x-app-usage"), *_business_uses(answer)]
    used = max((number_at(use, share) or 0 for use in uses for share in SHARES), default=0)
    return PAUSE_S if used >= HEEDED_FROM else 0


def regained_after_s(answer: httpx.Response) -> float | None:
    """Seconds until Meta takes requests again, from X-Business-Use-Case-Usage; None where it does not say.

    The header is `{"<id>": [{"estimated_time_to_regain_access": minutes, …}, …], …}`, with 0 for what is not blocked.
    Source, read 2026-11-26: developers.facebook.com/docs/graph-api/overview/rate-limiting.
    """
    minutes = (number_at(use, "estimated_time_to_regain_access") or 0 for use in _business_uses(answer))
    longest = max(minutes, default=0)
    return min(longest * 60, REGAINED_WITHIN_S) if longest > 0 else None


def _business_uses(answer: httpx.Response) -> list[JSON]:
    found = _usage(answer, "x-business-use-case-usage")
    return [use for one in found.values() if isinstance(one, list) for use in one] if isinstance(found, dict) else []


def _usage(answer: httpx.Response, header: str) -> JSON:
    try:
        return cast(JSON, json.loads(answer.headers.get(header, "")))
    except json.JSONDecodeError:
        return None


def _meaning(service: Service, status: int, code: int, subcode: int, message: str) -> Meaning:
    special = service.meaning(code, subcode, message)
    if special is not None:
        return special
    if code in _BY_CODE:
        return _BY_CODE[code]
    match status:
        case httpx.codes.UNAUTHORIZED:
            return CREDENTIALS
        case httpx.codes.TOO_MANY_REQUESTS:
            return RATE
        case _:
            return Fault.PERMANENT, "post_refused"
