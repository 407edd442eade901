"""OAuth 2.0 refresh tokens that rotate (RFC 6749 §6): spent by one at a time, kept before they are used."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import httpx

from services.platforms.calls import body, repeatable, text_at
from services.platforms.ports import JSON, Account, Fault, PlatformError

RENEWED_AFTER_S = 0.1
RENEWED = "token_renewed"
RENEWED_ELSEWHERE_S = 1.0  # until the new ones are looked for
EXCHANGE_MAX_S = 15.0  # well under the publisher's lease on the renewal, which covers keeping the answer too
# A token refused this soon after it was renewed is not refused for its age, so renewing again would go on for ever.
NEW_S = 60.0

T = TypeVar("T")


async def renew(
    http: httpx.AsyncClient,
    account: Account,
    token_url: str,
    *,
    platform: str,
    client_field: str = "client_id",
    secret_in_form: bool = False,
) -> PlatformError:
    """Exchanges the account's refresh token and keeps the new pair.

    Reads the credentials `refresh_token`, `client_id`, and `client_secret` where the app is confidential; keeps
    `renewed_at`, seconds since 1970, and the `scope` the answer tells, beside them.

    Args:
        client_field: What the platform calls the app's id, in the form and hence among the credentials.
        secret_in_form: The platform takes the app's secret there only.

    Returns what the caller is to raise: NOT_READY, so that its call is made again with the new token, whoever got it.
    Raises PlatformError: ACCOUNT if there is nothing to renew with, or the platform refuses it; TRANSIENT.
    """
    credentials = account.credentials
    refresh_token, client_id = credentials.get("refresh_token", ""), credentials.get(client_field, "")
    if not (refresh_token and client_id) or _just_renewed(credentials):
        raise refused(platform)
    async with account.renewing() as ours:
        if not ours:
            message = "The access token is renewed by another post."
            return PlatformError(Fault.NOT_READY, "token_renewing", message, retry_after_s=RENEWED_ELSEWHERE_S)
        found = await _exchange(http, credentials, token_url, platform, client_field, secret_in_form=secret_in_form)
        renewed = {
            **credentials,
            **({"scope": scope} if (scope := text_at(found, "scope")) else {}),
            "access_token": text_at(found, "access_token"),
            "refresh_token": text_at(found, "refresh_token") or refresh_token,
            "renewed_at": str(int(time.time())),
        }
        await account.save(renewed)
    return PlatformError(Fault.NOT_READY, RENEWED, "The access token was renewed.", retry_after_s=RENEWED_AFTER_S)


async def _exchange(
    http: httpx.AsyncClient,
    credentials: Mapping[str, str],
    token_url: str,
    platform: str,
    client_field: str,
    *,
    secret_in_form: bool,
) -> Mapping[str, JSON]:
    client_id, refresh_token = credentials[client_field], credentials["refresh_token"]
    secret = credentials.get("client_secret")
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    named = {client_field: client_id, **({"client_secret": secret} if secret else {})}
    try:
        async with asyncio.timeout(EXCHANGE_MAX_S):
            answer = await repeatable(
                http.post(token_url, data=form, auth=httpx.BasicAuth(client_id, secret))
                if secret and not secret_in_form
                else http.post(token_url, data=form | named)
            )
    except TimeoutError as exc:
        message = f"{platform} did not answer when the token was to be renewed."
        raise PlatformError(Fault.TRANSIENT, "upstream_unreachable", message) from exc
    found = body(answer)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise PlatformError(Fault.TRANSIENT, "rate_limited", f"{platform} limits how often tokens are renewed.")
    if not answer.is_success or not text_at(found, "access_token"):
        raise refused(platform)
    return found


async def with_renewal(account: Account, call: Callable[[Account], Awaitable[T]]) -> tuple[T, Mapping[str, str]]:
    """The call, for a verify() that nobody makes again: if it renewed the token, it is made with the new one.

    Returns what the call returned, and the credentials it was made with. Raises PlatformError.
    """
    kept: Mapping[str, str] = account.credentials

    async def save(renewed: Mapping[str, str]) -> None:
        nonlocal kept
        await account.save(renewed)
        kept = renewed

    try:
        return await call(replace(account, save=save)), kept
    except PlatformError as exc:
        if exc.code != RENEWED:
            raise
    return await call(replace(account, credentials=kept, save=save)), kept


def _just_renewed(credentials: Mapping[str, str]) -> bool:
    renewed_at = credentials.get("renewed_at", "")
    return renewed_at.isdigit() and time.time() - int(renewed_at) < NEW_S


def refused(platform: str) -> PlatformError:
    """The account must be connected again."""
    return PlatformError(
        Fault.ACCOUNT, "credentials_refused", f"{platform} refuses the account's credentials. Connect it again."
    )
