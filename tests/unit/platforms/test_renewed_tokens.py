"""Where refused tokens are renewed, and how each platform wants to be asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import httpx
import pytest

from services.platforms import oauth
from services.platforms.bearer import Api, Service
from services.platforms.ports import Account, Fault
from services.platforms.tiktok.api import SERVICE as TIKTOK
from services.platforms.youtube.resource import SERVICE as YOUTUBE


@pytest.mark.parametrize(
    ("service", "app", "url", "basic", "named"),
    [
        (YOUTUBE, "client_id", "https://oauth2.googleapis.com/token", True, {}),
        (
            TIKTOK,
            "client_key",
            "https://open.tiktokapis.com/v2/oauth/token/",
            False,
            {"client_key": ["app"], "client_secret": ["hush"]},
        ),
    ],
)
def test_a_refused_token_is_renewed_where_the_platform_takes_it(
    service: Service, app: str, url: str, basic: bool, named: dict[str, list[str]]
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": "new"})

    async def refused() -> tuple[Fault, str]:
        credentials = {"access_token": "old", "refresh_token": "again", app: "app", "client_secret": "hush"}
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            error = await Api(service, http, Account("acc_test", None, credentials)).refusal(httpx.Response(401))
        return error.fault, error.code

    assert asyncio.run(refused()) == (Fault.NOT_READY, "token_renewed")
    (request,) = asked
    assert (str(request.url), "authorization" in request.headers) == (url, basic)
    form = parse_qs(request.content.decode())
    assert form == {"grant_type": ["refresh_token"], "refresh_token": ["again"], **named}


def test_what_another_renews_is_not_spent() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": "new"})

    @asynccontextmanager
    async def taken() -> AsyncIterator[bool]:
        yield False

    async def refused() -> tuple[Fault, str]:
        credentials = {"access_token": "old", "refresh_token": "again", "client_id": "app"}
        account = Account("acc_test", None, credentials, renewing=taken)
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            error = await oauth.renew(http, account, "https://platform.example/token", platform="Platform")
        return error.fault, error.code

    assert asyncio.run(refused()) == (Fault.NOT_READY, "token_renewing")
    assert not asked
