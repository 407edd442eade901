"""APIs behind OAuth 2.0 bearer tokens: requests in an account's name, whose refused token is renewed if it can be.

Credentials: `access_token`; `refresh_token`, `client_id` and, for confidential apps, `client_secret` to renew it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx

from services.platforms import oauth
from services.platforms.calls import body, repeatable
from services.platforms.forms import Form
from services.platforms.ports import JSON, Account, Fault, PlatformError


@dataclass(frozen=True, slots=True)
class Service:
    """A platform's API.

    Attributes:
        name: As people call it.   address: its public one, without a trailing slash.
        token_path: Where tokens are renewed.
        refusal: What an answer means that is neither a success nor a 5xx.
        renewal_address: Of the token_path, where that is another host.
        client_field, secret_in_form: As of oauth.renew().
    """

    name: str
    address: str
    token_path: str
    refusal: Callable[[httpx.Response], PlatformError]
    renewal_address: str = ""
    client_field: str = "client_id"
    secret_in_form: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    """One account's requests to a service."""

    service: Service
    http: httpx.AsyncClient
    account: Account

    def url(self, path: str) -> str:
        """path: as in the platform's reference."""
        return (self.account.base_url or self.service.address) + path

    @property
    def headers(self) -> dict[str, str]:
        """Those of every request. Raises PlatformError(ACCOUNT) without a token."""
        token = self.account.credentials.get("access_token", "")
        if not token:
            message = f"{self.service.name} needs an access_token."
            raise PlatformError(Fault.ACCOUNT, "credentials_incomplete", message)
        return {"Authorization": f"Bearer {token}"}

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
            service = self.service
            address = self.account.base_url or service.renewal_address or service.address
            return await oauth.renew(
                self.http,
                self.account,
                address + service.token_path,
                platform=service.name,
                client_field=service.client_field,
                secret_in_form=service.secret_in_form,
            )
        return self.service.refusal(answer)

    async def _answered(self, call: Awaitable[httpx.Response]) -> Mapping[str, JSON]:
        answer = await repeatable(call)
        if not answer.is_success:
            raise await self.refusal(answer)
        return body(answer)
