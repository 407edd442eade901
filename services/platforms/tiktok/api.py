"""TikTok's API: requests in an account's name, whose token it is, and what became of a post.

Tokens with the scopes user.info.basic and video.publish; `client_key` and `client_secret` are the app's.
Source: developers.tiktok.com/doc/oauth-user-access-token-management, …/tiktok-api-v2-get-user-info,
…/content-posting-api-reference-{query-creator-info,get-video-status}, read 2026-10-08.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.platforms.bearer import Api, Service
from services.platforms.calls import answered_without, at, body, list_at, number_at, repeatable, text_at
from services.platforms.ports import JSON, Account, PlatformError
from services.platforms.tiktok import refusals

SERVICE = Service(
    "TikTok",
    "https://open.tiktokapis.com",
    "/v2/oauth/token/",
    refusals.refusal,
    client_field="client_key",
    secret_in_form=True,
)
PUBLISH = "/v2/post/publish"


@dataclass(frozen=True, slots=True)
class Creator:
    """What the account may post. privacies: in TikTok's words."""

    username: str
    privacies: tuple[str, ...]
    max_duration_s: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a post. word: PROCESSING_UPLOAD, PROCESSING_DOWNLOAD, PUBLISH_COMPLETE, FAILED, …

    post_id: "" where it is not public, or TikTok still looks at it.
    """

    word: str
    reason: str
    uploaded_bytes: int
    post_id: str


class TikTok:
    """One account's requests."""

    def __init__(self, http: httpx.AsyncClient, account: Account) -> None:
        self.api = Api(SERVICE, http, account)

    async def post(self, path: str, wanted: Mapping[str, JSON]) -> Mapping[str, JSON]:
        """The answer's data, to a request that may be repeated. Raises PlatformError."""
        return await self.read(await repeatable(self.sent(path, wanted)))

    async def sent(self, path: str, wanted: Mapping[str, JSON]) -> httpx.Response:
        """The answer, for whoever repeats nothing."""
        return await self.api.http.post(self.api.url(path), json=wanted, headers=self.api.headers)

    async def read(self, answer: httpx.Response) -> Mapping[str, JSON]:
        """An answer's data. Raises PlatformError for a refusal."""
        if not answer.is_success:
            raise await self.refusal(answer)
        data = at(body(answer), "data")
        return data if isinstance(data, dict) else {}

    async def refusal(self, answer: httpx.Response) -> PlatformError:
        """What to raise. A right that was never given is refused as a token is, and no new token has it."""
        error = refusals.refusal(answer)
        return error if error.code == refusals.SCOPE_MISSING else await self.api.refusal(answer)

    async def me(self) -> tuple[str, str]:
        """Id and name of whose token it is."""
        answer = await repeatable(
            self.api.http.get(
                self.api.url("/v2/user/info/"), params={"fields": "open_id,display_name"}, headers=self.api.headers
            )
        )
        found = await self.read(answer)
        return text_at(found, "user", "open_id"), text_at(found, "user", "display_name")

    async def creator(self) -> Creator:
        """What the account may post now."""
        found = await self.post(f"{PUBLISH}/creator_info/query/", {})
        return Creator(
            text_at(found, "creator_username"),
            tuple(str(one) for one in list_at(found, "privacy_level_options")),
            number_at(found, "max_video_post_duration_sec"),
        )

    async def status(self, publish_id: str) -> Status:
        """What became of a post."""
        found = await self.post(f"{PUBLISH}/status/fetch/", {"publish_id": publish_id})
        word = text_at(found, "status")
        if not word:
            raise answered_without("TikTok", "the post's status")
        return Status(
            word,
            text_at(found, "fail_reason"),
            int(number_at(found, "uploaded_bytes") or 0),
            text_at(found, "publicaly_available_post_id", 0),  # as TikTok spells it
        )
