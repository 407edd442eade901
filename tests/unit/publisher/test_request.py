"""What is wrong with a request by itself is said all at once, with field paths."""

from datetime import UTC, datetime, timedelta

from services.publisher.domain import request
from services.publisher.domain.request import MediaInput, PostInput, TargetInput

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SOMEWHERE = TargetInput(account_id="acc_1")


def fields(post: PostInput) -> list[str]:
    return [it.field for it in request.problems(post, NOW)]


def inline_fields(post: PostInput) -> list[str]:
    return [it.field for it in request.inline_problems(post)]


def test_an_ordinary_post_has_no_problems() -> None:
    post = PostInput(text="hi", targets=[SOMEWHERE], media=[MediaInput(media_id="med_1"), MediaInput(data=b"x")])
    assert fields(post) == []
    assert inline_fields(post) == []


def test_a_post_needs_1_to_25_targets() -> None:
    assert fields(PostInput()) == ["targets"]
    assert fields(PostInput(targets=[TargetInput(account_id=f"acc_{n}") for n in range(25)])) == []
    assert fields(PostInput(targets=[TargetInput(account_id=f"acc_{n}") for n in range(26)])) == ["targets"]


def test_the_same_target_twice_would_post_twice() -> None:
    assert fields(PostInput(targets=[SOMEWHERE, SOMEWHERE])) == ["targets[1]"]


def test_one_account_may_get_two_different_posts() -> None:
    other = TargetInput(account_id="acc_1", text="something else")
    assert fields(PostInput(targets=[SOMEWHERE, other])) == []


def test_media_is_given_by_id_or_by_bytes_and_not_both() -> None:
    both = MediaInput(media_id="med_1", data=b"x")
    post = PostInput(targets=[TargetInput(account_id="acc_1", media=[both])], media=[MediaInput()])
    assert fields(post) == ["media[0]", "targets[0].media[0]"]


def test_an_empty_media_id_is_named() -> None:
    assert fields(PostInput(targets=[SOMEWHERE], media=[MediaInput(media_id="")])) == ["media[0].mediaId"]


def test_more_media_than_any_platform_takes_is_refused_in_every_list() -> None:
    many = [MediaInput(media_id=f"med_{n}") for n in range(21)]
    post = PostInput(targets=[TargetInput(account_id="acc_1", media=many)], media=many)
    assert fields(post) == ["media", "targets[0].media"]


def test_a_post_is_held_for_a_year_at_most_and_a_past_time_means_now() -> None:
    def at(days: int) -> PostInput:
        return PostInput(targets=[SOMEWHERE], scheduled_at=NOW + timedelta(days=days))

    assert fields(at(366)) == ["scheduledAt"]
    assert fields(at(364)) == []
    assert fields(at(-1)) == []


def test_all_problems_come_together() -> None:
    post = PostInput(media=[MediaInput()], scheduled_at=NOW + timedelta(days=400))
    assert fields(post) == ["targets", "media[0]", "scheduledAt"]


def test_inline_data_is_an_image_of_at_most_a_million_bytes() -> None:
    assert inline_fields(PostInput(media=[MediaInput(data=b"x" * 1_000_000, kind="image")])) == []
    assert inline_fields(PostInput(media=[MediaInput(data=b"x" * 1_000_001)])) == ["media[0].data"]
    assert inline_fields(PostInput(media=[MediaInput(data=b"")])) == ["media[0].data"]
    assert inline_fields(PostInput(media=[MediaInput(data=b"x", kind="video")])) == ["media[0].kind"]


def test_no_text_holds_a_nul() -> None:
    item = MediaInput(media_id="med_\0", alt_text="a\0")
    target = TargetInput(account_id="acc_\0", text="\0")
    assert fields(PostInput(text="\0", targets=[target], media=[item])) == [
        "text",
        "targets[0].text",
        "targets[0].accountId",
        "media[0].altText",
        "media[0].mediaId",
    ]
