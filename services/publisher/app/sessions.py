"""Accounts as platforms see them: where they are, and their opened credentials."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import httpx

from services.platforms import ports as platforms
from services.platforms.pauses import Pauses
from services.publisher.ports import Accounts, Caller, SealedBytes, Vault

# A renewal is one request of EXCHANGE_MAX_S and one write. Whoever died in it keeps others waiting that long.
RENEWAL_LEASE_S = 30.0


@dataclass(slots=True)
class Session:
    """An account ready to be used, and the seal its credentials came out of, or were put in when they were renewed."""

    account: platforms.Account
    sealed: SealedBytes


class Sessions:
    """Opens accounts, and keeps the credentials platforms renew."""

    def __init__(self, accounts: Accounts, vault: Vault, sandbox_url: str) -> None:
        self._accounts = accounts
        self._vault = vault
        self._sandbox_url = sandbox_url.rstrip("/")
        self._pauses = Pauses()

    def base_url(self, platform: str, *, live: bool, service_url: str | None) -> str | None:
        """Where the platform is reached: None is its public address. Test accounts never leave the sandbox."""
        return service_url if live else f"{self._sandbox_url}/{platform}"

    def in_sandbox(self, url: str) -> bool:
        """Whether a URL leads to the sandbox."""
        return _origin(url) == _origin(self._sandbox_url)

    async def open(self, caller: Caller, account_id: str) -> Session | None:
        """The account with its credentials; None if it was deleted."""
        account = await self._accounts.get(caller, account_id)
        sealed = await self._accounts.sealed(caller, account_id)
        if account is None or sealed is None:
            return None
        base_url = self.base_url(account.platform, live=caller.live, service_url=account.service_url)
        credentials = await self._vault.open(caller.workspace_id, account_id, sealed)

        async def save(renewed: Mapping[str, str]) -> None:
            resealed = await self._vault.seal(caller.workspace_id, account_id, renewed)
            await self._accounts.replace_credentials(caller, account_id, resealed, instead_of=session.sealed.blob)
            session.sealed = resealed

        renewing = partial(self._accounts.renewing, caller, account_id, sealed.blob, RENEWAL_LEASE_S)
        session = Session(platforms.Account(account_id, base_url, credentials, save, renewing, self._pauses), sealed)
        return session

    async def accepted(self, caller: Caller, account_id: str, session: Session, credentials: Mapping[str, str]) -> None:
        """The platform takes these credentials: they are kept, and the account is active.

        Unless its owner gave others since the session was opened, of which this says nothing.
        """
        resealed = await self._vault.seal(caller.workspace_id, account_id, credentials)
        await self._accounts.accept(caller, account_id, resealed, instead_of=session.sealed.blob)

    async def refused(self, caller: Caller, account_id: str, session: Session) -> bool:
        """The platform refuses the credentials: the account is marked invalid.

        False if the credentials were renewed meanwhile: two posts may have renewed one token at once, and the loser's
        refusal says nothing of the winner's credentials.
        """
        return await self._accounts.invalidate(caller, account_id, session.sealed.blob)


def _origin(url: str) -> tuple[str, str, int]:
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port or (443 if parts.scheme == "https" else 80)
