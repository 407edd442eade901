"""Requests to X in the account's name. Credentials: `access_token`; `refresh_token`, `client_id` and, for confidential
apps, `client_secret` to renew it; `user_id` and `username`, which verify() adds.

Source: docs.x.com/x-api, OAuth 2.0 user tokens with tweet.read tweet.write users.read media.write offline.access.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

import httpx

from services.platforms import oauth
from services.platforms.calls import body, repeatable, text_at
from services.platforms.forms import Form
from services.platforms.ports import JSON, Account, Fault, PlatformError
from services.platforms.x import refusals

ADDRESS = "https://api.x.com"
NAME = "X"


@dataclass(frozen=True, slots=True)
class Me:
    """Who the token belongs to. username: without the @."""

    user_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Api:
    """One account's requests."""

    http: httpx.AsyncClient
    account: Account

    def url(self, path: str) -> str:
        """path: as in the reference, "/2/tweets"."""
        return (self.account.base_url or ADDRESS) + path

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request."""
        return {"Authorization": f"Bearer {self.account.credentials.get('access_token', '')}"}

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, JSON]:
        """The answer's JSON. Raises PlatformError."""
        return await self._answered(self.http.get(self.url(path), params=query, headers=self.headers))

    async def post(self, path: str, wanted: Mapping[str, JSON] | None = None) -> Mapping[str, JSON]:
        """The same for a request that may be repeated."""
        return await self._answered(self.http.post(self.url(path), json=wanted, headers=self.headers))

    async def send(self, path: str, form: Form) -> Mapping[str, JSON]:
        """The same for a file."""
        headers = {**self.headers, **form.headers}
        return await self._answered(self.http.post(self.url(path), content=form.content, headers=headers))

    async def refusal(self, answer: httpx.Response) -> PlatformError:
        """What to raise for an answer that is neither a success nor a 5xx; a refused token is renewed first."""
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return await oauth.renew(self.http, self.account, self.url("/2/oauth2/token"), platform=NAME)
        return refusals.refusal(answer)

    async def me(self) -> Me:
        """Whose token it is. Raises PlatformError."""
        if not self.account.credentials.get("access_token"):
            raise PlatformError(Fault.ACCOUNT, "credentials_incomplete", "X needs an access_token.")
        found = await self.get("/2/users/me")
        me = Me(text_at(found, "data", "id"), text_at(found, "data", "username"))
        if not (me.user_id and me.username):
            raise PlatformError(Fault.TRANSIENT, "answer_unreadable", "X answered without saying whose token it is.")
        return me

    async def _answered(self, call: Awaitable[httpx.Response]) -> Mapping[str, JSON]:
        answer = await repeatable(call)
        if not answer.is_success:
            raise await self.refusal(answer)
        return body(answer)
