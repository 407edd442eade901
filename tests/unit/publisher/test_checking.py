"""Every problem of every target is found before a platform is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from services.platforms.ports import JSON, Draft, Problem
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


@dataclass
class Kiosk(Paper):
    """A platform some of whose posts are as an upright film."""

    def preset(self, options: Mapping[str, JSON]) -> str:
        """As ports.ChoosesPresets."""
        return str(options.get("as", ""))


@pytest.mark.parametrize(
    ("preset", "kind", "size", "seconds", "why"),
    [
        ("facebook.reel", "video", (1080, 1920), 5.0, None),
        ("facebook.reel", "video", (1080, 1920), 90.04, None),
        ("facebook.reel", "video", (1080, 1920), 91.0, "91.00 s are more than 90 s"),
        ("facebook.reel", "video", (1080, 1920), 2.0, "2.00 s are less than 3 s"),
        ("facebook.reel", "video", (1920, 1080), 5.0, "width / height is 1.778, not at least 0.557 and at most 0.568"),
        ("facebook.reel", "video", (360, 640), 5.0, "360 x 640 has a side below 540"),
        ("facebook.reel", "image", (1080, 1920), None, "facebook.reel is not made from such media"),
        ("instagram.story", "image", (9000, 100), None, None),
        ("instagram.story", "video", (1080, 1920), 61.0, "61.00 s are more than 60 s"),
        ("instagram.feed", "image", (9000, 100), None, None),  # it is given bars
        ("facebook.reel", "video", (None, None), None, None),  # nobody has looked at it
        ("facebook.reel", "", (None, None), None, None),
    ],
)
def test_what_a_target_chose_is_what_its_media_must_fit(
    preset: str, kind: str, size: tuple[int | None, int | None], seconds: float | None, why: str | None
) -> None:
    # What the platform's default preset has against it does not matter, nor that it has nothing.
    for misfits in ({}, {"kiosk": "too wide"}):
        item = MediaFacts(
            "med_1", kind, "ready", f"{kind}/x", width=size[0], height=size[1], duration_s=seconds, misfits=misfits
        )
        post = PostInput(targets=[target(options={"as": preset})], media=[MediaInput(media_id="med_1")])
        checker = Checker({"kiosk": Kiosk(id="kiosk")})
        told = checker.problems(post, [account("acc_1", "kiosk")], {"med_1": item}, NOW)
        wanted = [] if why is None else [f"targets[0] (kiosk) cannot take it: {why} (media_unfit)"]
        assert [(it.field, it.message) for it in told] == [("media[0].mediaId", message) for message in wanted]


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
