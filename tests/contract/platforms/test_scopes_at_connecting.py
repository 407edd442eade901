"""Accounts whose token was not given what posts need: told when they are connected, wherever the platform tells it."""

import pytest

from services.platforms.ports import Draft, PlatformError, ScopeMissingError
from tests.contract.platforms import samples
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Sandboxes
from tests.contract.platforms.samples import draft

APP = {"client_id": "app", "client_secret": "sandbox-secret"}
YOUTUBE = "https://www.googleapis.com/auth/youtube"
TOLD = [
    ("facebook", APP, ("pages_manage_posts",)),
    ("linkedin", APP, ("w_member_social",)),
    ("mastodon", {}, ("write:media", "write:statuses")),
    ("pinterest", {"scope": "boards:read pins:read user_accounts:read"}, ("pins:write",)),
    ("threads", {}, ("threads_content_publish",)),
    ("tiktok", {}, ("video.publish",)),
    ("x", {"scope": "tweet.read users.read offline.access"}, ("tweet.write", "media.write")),
    ("youtube", {}, (YOUTUBE,)),
]
RENEWED = {**APP, "refresh_token": "sandbox-late.readonly.first", "access_token": "expired"}


@pytest.mark.parametrize(("platform", "credentials", "missing"), TOLD, ids=[one[0] for one in TOLD])
async def test_what_is_missing_is_told_when_the_account_is_connected(
    sandboxes: Sandboxes, platform: str, credentials: dict[str, str], missing: tuple[str, ...]
) -> None:
    played = sandboxes.platform(platform)
    with pytest.raises(ScopeMissingError) as caught:
        await played.connected("reading.readonly", **credentials)
    assert (caught.value.code, caught.value.scopes) == ("scope_missing", missing)
    whole = {} if "scope" in credentials else credentials
    await played.connected("writing", **whole)


@pytest.mark.parametrize("platform", ["x", "pinterest"])
async def test_the_answer_to_a_renewal_tells_it_too(sandboxes: Sandboxes, platform: str) -> None:
    with pytest.raises(ScopeMissingError):
        await sandboxes.platform(platform).connected("late", **RENEWED)


@pytest.mark.parametrize(
    ("platform", "token", "credentials"),
    [
        ("facebook", "blind.readonly", {}),
        ("linkedin", "blind.readonly", {}),
        ("linkedin", "blind.readonly", {"client_id": "app"}),
        ("instagram", "blind.readonly", {}),
        ("threads", "blind.guest", {}),
        ("x", "blind.readonly", {}),
    ],
)
async def test_who_is_not_told_is_connected_all_the_same(
    sandboxes: Sandboxes, platform: str, token: str, credentials: dict[str, str]
) -> None:
    assert await sandboxes.platform(platform).connected(token, **credentials)


@pytest.mark.parametrize(
    ("platform", "code"),
    [("instagram", "not_permitted"), ("mastodon", "scope_missing"), ("pinterest", "not_permitted"),
     ("threads", "not_permitted"), ("x", "scope_missing")],
)  # fmt: skip
async def test_such_an_account_posts_nothing(sandboxes: Sandboxes, cdn: Cdn, platform: str, code: str) -> None:
    played = sandboxes.platform(platform)
    account = played.account("still.readonly", refreshed_at="9999999999", board_id="1234567890")
    wanted: Draft = draft("not this", cdn.asset(samples.picture(320, 320)))
    with pytest.raises(PlatformError) as caught:
        await played.published(account, wanted)
    assert caught.value.code == code
    assert [one for one in await played.received() if one["text"] == "not this"] == []
