"""An account's requests to its server, and whose token it is. verify() adds the credential `user_id`.

Source: docs.joinmastodon.org/methods/accounts/#verify_credentials, …/methods/apps/#verify_credentials; user tokens with
read:accounts read:statuses write:media write:statuses.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from services.platforms.bearer import Api, Service
from services.platforms.calls import WHOSE, answered_without, body, list_at, repeatable, text_at
from services.platforms.mastodon import refusals
from services.platforms.ports import Account, Fault, PlatformError
from services.platforms.scopes import require

SCOPES = tuple((scope, scope.partition(":")[0]) for scope in ("read:statuses", "write:media", "write:statuses"))
SERVICE = Service("Mastodon", "", "/oauth/token", refusals.refusal)


@dataclass(frozen=True, slots=True)
class Me:
    """Who the token belongs to. name: as people of other servers write it, with both @."""

    user_id: str
    name: str


def connect(http: httpx.AsyncClient, account: Account) -> Api:
    """Raises PlatformError(ACCOUNT) without a server: there is no public one for all."""
    if not account.base_url:
        message = "Mastodon needs the address of the account's server as serviceUrl."
        raise PlatformError(Fault.ACCOUNT, "service_url_missing", message)
    return Api(SERVICE, http, account)


async def ask_me(api: Api) -> Me:
    """Raises PlatformError."""
    found = await api.get("/api/v1/accounts/verify_credentials")
    user_id, username = text_at(found, "id"), text_at(found, "username")
    if not (user_id and username):
        raise answered_without("The server", WHOSE)
    return Me(user_id, f"@{username}@{urlsplit(api.url('')).netloc}")


async def require_scopes(api: Api) -> None:
    """Raises ScopeMissingError if the token's app may not do what posts need, which no token of it may then.

    What the token itself has is not told, and servers older than 4.3 tell nothing of the app either.
    """
    answer = await repeatable(api.http.get(api.url("/api/v1/apps/verify_credentials"), headers=api.headers))
    if answer.is_success:
        require(SERVICE.name, [str(one) for one in list_at(body(answer), "scopes")], SCOPES)
