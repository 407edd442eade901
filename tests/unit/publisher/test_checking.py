"""Every problem of every target is found before a platform is asked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from services.platforms.ports import Draft, Problem
from services.publisher.app.checking import Checker
from services.publisher.domain.account import Account, AccountStatus
from services.publisher.domain.request import MediaInput, PostInput, TargetInput
from services.publisher.ports import MediaFacts
from tests.unit.publisher.bench import Paper

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PHOTO = MediaFacts("med_photo", "image", "ready", "image/png", 1000, alt_text="its own", width=4, height=3)
FILM = MediaFacts("med_film", "video", "ready", "video/mp4", 1000, width=16, height=9, duration_s=3.0)
NEW = MediaFacts("med_new", "", "receiving")


def account(account_id: str, platform: str = "paper") -> Account:
    return Account(
        account_id=account_id, platform=platform, live=False, display_name="", external_id="",
        status=AccountStatus.ACTIVE, service_url=None, created_at=NOW,
    )  # fmt: skip


def strict(draft: Draft) -> Sequence[Problem]:
    """A platform of short texts and described photos."""
    found = [Problem("text", "text_too_long", "Too long.")] if len(draft.text) > 5 else []
    for n, asset in enumerate(draft.assets):
        if asset.is_video:
            found.append(Problem(f"media[{n}]", "no_video", "No videos."))
        if not asset.alt_text:
            found.append(Problem(f"media[{n}].altText", "alt_text_missing", "Describe it."))
    return found


def found(
    post: PostInput, facts: Sequence[MediaFacts] = (), accounts: Sequence[Account | None] | None = None
) -> list[tuple[str, str]]:
    papers = {"paper": Paper(problems=strict), "wall": Paper(id="wall")}
    known: Mapping[str, MediaFacts] = {it.media_id: it for it in facts}
    given = accounts if accounts is not None else [account(it.account_id) for it in post.targets]
    return [(it.field, it.message) for it in Checker(papers).problems(post, given, known, NOW)]


def fields(post: PostInput, *facts: MediaFacts) -> list[str]:
    return [field for field, _ in found(post, facts)]


def target(account_id: str = "acc_1", **more: object) -> TargetInput:
    return TargetInput(account_id=account_id, **more)  # type: ignore[arg-type]


def test_a_post_that_fits_has_no_problems() -> None:
    assert fields(PostInput(text="hi", targets=[target()], media=[MediaInput(media_id="med_photo")]), PHOTO) == []


def test_problems_of_all_targets_are_said_at_once() -> None:
    post = PostInput(
        text="much too long",
        targets=[target("acc_1"), target("acc_2", text="ok", media=[MediaInput(media_id="med_film")])],
        media=[MediaInput(media_id="med_photo", alt_text="")],
    )
    assert fields(post, PHOTO, FILM) == [
        "targets[0].text",
        "media[0].altText",
        "targets[1].media[0]",
        "targets[1].media[0].altText",
    ]


def test_a_problem_with_the_posts_own_media_names_the_target_it_is_of() -> None:
    post = PostInput(targets=[target("acc_1")], media=[MediaInput(media_id="med_film", alt_text="x")])
    assert found(post, [FILM]) == [("media[0]", "targets[0] (paper): No videos. (no_video)")]


def test_media_nobody_looked_at_raise_only_what_is_wrong_whatever_they_are() -> None:
    post = PostInput(targets=[target()], media=[MediaInput(media_id="med_new")])
    assert fields(post, NEW) == ["media[0].altText"]


def test_an_item_that_does_not_fit_the_platform_is_named_with_the_reason() -> None:
    wide = MediaFacts("med_wide", "image", "ready", "image/png", alt_text="x", misfits={"paper": "too wide"})
    assert found(PostInput(targets=[target()], media=[MediaInput(media_id="med_wide")]), [wide]) == [
        ("media[0].mediaId", "targets[0] (paper) cannot take it: too wide (media_unfit)")
    ]


def test_a_kind_other_than_the_items_is_a_problem() -> None:
    post = PostInput(targets=[target()], media=[MediaInput(media_id="med_photo", kind="video")])
    assert fields(post, PHOTO) == ["media[0].kind"]


def test_two_targets_that_turn_out_to_publish_the_same_are_one_too_many() -> None:
    post = PostInput(text="hi", targets=[target("acc_1"), TargetInput(platform="paper")])
    assert [field for field, _ in found(post, accounts=[account("acc_1"), account("acc_1")])] == ["targets[1]"]
    other = PostInput(text="hi", targets=[target("acc_1"), target("acc_1", text="bye")])
    assert fields(other) == []


def test_a_target_without_an_account_is_passed_over() -> None:
    post = PostInput(text="much too long", targets=[target("acc_1"), target("acc_2")])
    assert [field for field, _ in found(post, accounts=[None, account("acc_2")])] == ["targets[1].text"]


def test_the_other_platforms_rules_do_not_matter() -> None:
    post = PostInput(text="much too long", targets=[target("acc_1")])
    assert found(post, accounts=[account("acc_1", "wall")]) == []


def test_bytes_in_the_request_are_told_apart_by_how_they_begin() -> None:
    seen: list[str] = []

    def look(draft: Draft) -> Sequence[Problem]:
        seen.extend(asset.content_type for asset in draft.assets)
        return ()

    post = PostInput(targets=[target()], media=[MediaInput(data=b"GIF89a..."), MediaInput(data=b"\x89PNG")])
    assert Checker({"paper": Paper(problems=look)}).problems(post, [account("acc_1")], {}, NOW) == []
    assert seen == ["image/gif", "image/jpeg"]


def test_the_draft_has_the_time_the_post_will_have() -> None:
    seen: list[datetime] = []

    def look(draft: Draft) -> Sequence[Problem]:
        seen.append(draft.created_at)
        return ()

    later = datetime(2026, 12, 1, tzinfo=UTC)
    checker = Checker({"paper": Paper(problems=look)})
    checker.problems(PostInput(targets=[target()]), [account("acc_1")], {}, NOW)
    checker.problems(PostInput(targets=[target()], scheduled_at=later), [account("acc_1")], {}, NOW)
    assert seen == [NOW, later]
