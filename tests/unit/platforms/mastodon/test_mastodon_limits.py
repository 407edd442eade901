"""What a server says it takes, and what is taken for granted where it says nothing."""

import httpx
import pytest

from services.platforms.mastodon.limits import defaults, read
from services.platforms.mastodon.publish import PUBLISHER
from services.platforms.ports import JSON, Account
from tests.unit.platforms.drafts import draft

CONFIGURED: dict[str, JSON] = {
    "statuses": {"max_characters": 5_000, "max_media_attachments": 16, "characters_reserved_per_url": 20},
    "media_attachments": {
        "supported_mime_types": ["image/jpeg", "image/avif"], "description_limit": 900,
        "image_size_limit": 1, "image_matrix_limit": 2, "video_size_limit": 3, "video_matrix_limit": 4,
    },
}  # fmt: skip


def test_a_server_that_tells_all_is_taken_at_its_word() -> None:
    found = read({"configuration": CONFIGURED})
    assert (found.max_characters, found.max_media, found.url_chars) == (5_000, 16, 20)
    assert (found.accept, found.description_max) == (("image/jpeg", "image/avif"), 900)
    assert (found.image_max_bytes, found.image_max_px, found.video_max_bytes, found.video_max_px) == (1, 2, 3, 4)


@pytest.mark.parametrize(
    "instance",
    [
        {},
        {"configuration": None},
        {"configuration": {"statuses": [], "media_attachments": "none"}},
        {"configuration": {"statuses": {"max_characters": "many"}, "media_attachments": {"image_size_limit": True}}},
    ],
)
def test_what_a_server_leaves_out_is_as_by_default(instance: dict[str, JSON]) -> None:
    assert read(instance) == defaults()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.social/@anna/1", "https://example.social/@anna/1"),
        ("javascript:alert(1)", None),
        ("https://example.social/" + "a" * 3_000, None),
        (None, None),
    ],
)
async def test_an_address_no_browser_should_follow_is_not_passed_on(url: str | None, shown: str | None) -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"id": "1", "url": url}))
    account = Account("acc_test", "https://example.social", {"access_token": "token"})
    async with httpx.AsyncClient(transport=answer) as http:
        receipt = await PUBLISHER.publish(http, account, draft("hello"), {"media": []}, "1-a")
    assert (receipt.platform_post_id, receipt.url) == ("1", shown)
