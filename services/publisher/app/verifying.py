"""Accounts tried upstream once more: when their owner asks, and once a week, so that no token dies unused."""

import asyncio
import logging
from collections.abc import Mapping

import httpx

from services.common import context
from services.common.errors import Code, MediaError
from services.platforms import ports as platforms
from services.publisher.app.connecting import VERIFY_MAX_S
from services.publisher.app.sessions import Session, Sessions
from services.publisher.domain.account import Account
from services.publisher.ports import Accounts, Caller

log = logging.getLogger("publisher.verifying")

BATCH = 10
REFUSALS = (platforms.Fault.ACCOUNT, platforms.Fault.PERMANENT)


class VerifyAccount:
    """Use case: what the platform says of an account's credentials now. Tokens that can be renewed are, as ever."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        publishers: Mapping[str, platforms.Publisher],
        http: httpx.AsyncClient,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._publishers = publishers
        self._http = http

    async def __call__(self, caller: Caller, account_id: str) -> Account:
        """The account: active if its platform takes the credentials, invalid if it does not.

        Raises:
            MediaError: ACCOUNT_NOT_FOUND; PLATFORM_UNKNOWN, nothing publishes there any more; UPSTREAM_BUSY, the
                platform did not say, and the account is as it was.
        """
        account = await self._account(caller, account_id)
        publisher = self._publishers.get(account.platform)
        if publisher is None:
            raise MediaError(Code.PLATFORM_UNKNOWN, platform=account.platform)
        session = await self._sessions.open(caller, account_id)
        if session is None:
            raise _unknown(account_id)
        credentials = await self._tried(publisher, session, account.platform)
        if credentials is None:
            await self._sessions.refused(caller, account_id, session)
        else:
            await self._sessions.accepted(caller, account_id, session, credentials)
        return await self._account(caller, account_id)

    async def due(self) -> None:
        """A round over accounts nobody tried for a week."""
        for caller, account_id in await self._accounts.take_unverified(BATCH):
            with context.use(context.CallContext(workspace_id=caller.workspace_id, request_id=account_id)):
                try:
                    account = await self(caller, account_id)
                except Exception as exc:  # the platform's, our key's or our database's trouble: tried again in an hour
                    log.warning("not verified", exc_info=exc, extra={"account_id": account_id})
                    continue
                log.info("verified", extra={"account_id": account_id, "status": account.status.value})

    async def _account(self, caller: Caller, account_id: str) -> Account:
        account = await self._accounts.get(caller, account_id)
        if account is None:
            raise _unknown(account_id)
        return account

    async def _tried(self, publisher: platforms.Publisher, session: Session, platform: str) -> Mapping[str, str] | None:
        """The credentials to keep from now on; None if the platform refuses them."""
        try:
            async with asyncio.timeout(VERIFY_MAX_S):
                return (await publisher.verify(self._http, session.account)).credentials
        except platforms.PlatformError as exc:
            if exc.fault in REFUSALS:
                return None
            raise MediaError(Code.UPSTREAM_BUSY, upstream=platform) from exc
        except (TimeoutError, httpx.HTTPError) as exc:
            raise MediaError(Code.UPSTREAM_BUSY, upstream=platform) from exc


def _unknown(account_id: str) -> MediaError:
    return MediaError(Code.ACCOUNT_NOT_FOUND, account_id=account_id)
