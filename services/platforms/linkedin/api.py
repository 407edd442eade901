"""LinkedIn's API: requests in an account's name, versioned, and who the account is.

Tokens with the scopes openid, profile and w_member_social, or for an organization's page w_organization_social and
r_organization_social; credentials then name it by `organization_id`. Refresh tokens are given to partners only.
Source: learn.microsoft.com/linkedin/marketing/versioning, …/shared/authentication/programmatic-refresh-tokens, read
2026-09-19, …/shared/authentication/token-introspection, read 2026-11-26.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.platforms.bearer import Api, Service
from services.platforms.calls import WHOSE, answered_without, body, repeatable, text_at
from services.platforms.linkedin import refusals
from services.platforms.ports import JSON, Account
from services.platforms.scopes import require

INTROSPECTION = "/oauth/v2/introspectToken"
VERSION = "202609"  # each is taken for a year
SERVICE = Service(
    "LinkedIn",
    "https://api.linkedin.com",
    "/oauth/v2/accessToken",
    refusals.refusal,
    renewal_address="https://www.linkedin.com",
    secret_in_form=True,
)


@dataclass(frozen=True, slots=True)
class Author:
    """Who posts. urn: "urn:li:person:…" or "urn:li:organization:…"."""

    urn: str
    name: str


class LinkedIn:
    """One account's requests."""

    def __init__(self, http: httpx.AsyncClient, account: Account) -> None:
        self.api = Api(SERVICE, http, account)

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request below /rest."""
        return {**self.api.headers, "Linkedin-Version": VERSION, "X-Restli-Protocol-Version": "2.0.0"}

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, JSON]:
        """The answer's JSON. Raises PlatformError."""
        url = self.api.url(path)
        return await self._read(await repeatable(self.api.http.get(url, params=query, headers=self.headers)))

    async def act(self, path: str, action: str, wanted: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The same for an action that may be repeated."""
        return await self._read(await repeatable(self.send(path, {f"{action}Request": dict(wanted)}, action)))

    async def send(self, path: str, wanted: Mapping[str, JSON], action: str = "") -> httpx.Response:
        """A request, for whoever reads its answer otherwise."""
        query = {"action": action} if action else None
        return await self.api.http.post(self.api.url(path), params=query, json=wanted, headers=self.headers)

    async def author(self) -> Author:
        """Who the account is. Raises PlatformError."""
        if organization := self.api.account.credentials.get("organization_id", ""):
            found = await self.get(f"/rest/organizations/{organization}")
            urn, name = f"urn:li:organization:{organization}", text_at(found, "localizedName")
        else:
            found = await self.api.get("/v2/userinfo")
            urn, name = f"urn:li:person:{text_at(found, 'sub')}", text_at(found, "name")
        if urn.endswith(":") or not name:
            raise answered_without("LinkedIn", WHOSE)
        return Author(urn, name)

    async def require_scope(self) -> None:
        """Raises ScopeMissingError if the token may not post. Only the app itself is told, by its id and its secret."""
        credentials = self.api.account.credentials
        form = {name: credentials.get(name, "") for name in ("client_id", "client_secret")}
        if not all(form.values()):
            return
        address = self.api.account.base_url or SERVICE.renewal_address
        wanted = {**form, "token": credentials.get("access_token", "")}
        answer = await repeatable(self.api.http.post(f"{address}{INTROSPECTION}", data=wanted))
        needed = "w_organization_social" if credentials.get("organization_id") else "w_member_social"
        if answer.is_success:
            require(SERVICE.name, text_at(body(answer), "scope"), [(needed,)])

    async def _read(self, answer: httpx.Response) -> Mapping[str, JSON]:
        if not answer.is_success:
            raise await self.api.refusal(answer)
        return body(answer)
