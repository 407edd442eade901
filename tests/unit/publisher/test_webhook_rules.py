"""What is told of what, when it is tried again, and what the words of the API are."""

from datetime import UTC, datetime, timedelta

import pytest

from services.publisher.domain.post import JSON, PostStatus, TargetStatus
from services.publisher.domain.webhooks import endpoint
from services.publisher.domain.webhooks.delivery import Fault, Outcome, Schedule, judged, pause_s, wanted_s
from services.publisher.domain.webhooks.events import (
    OFFERED,
    EventType,
    News,
    envelope,
    media_settled,
    post_settled,
    shortened,
    subscription_problems,
)

NOW = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
SCHEDULE = Schedule()
P, F, U, C = TargetStatus.PUBLISHED, TargetStatus.FAILED, TargetStatus.UNCONFIRMED, TargetStatus.CANCELED


@pytest.mark.parametrize(
    ("status", "targets", "told"),
    [
        (PostStatus.PUBLISHED, [P, P], [EventType.POST_PUBLISHED]),
        (PostStatus.PUBLISHED, [P, C], [EventType.POST_PUBLISHED]),
        (PostStatus.FAILED, [F, F], [EventType.POST_FAILED]),
        (PostStatus.PARTIALLY_PUBLISHED, [P, F], [EventType.POST_PARTIALLY_PUBLISHED]),
        (PostStatus.PARTIALLY_PUBLISHED, [P, U], [EventType.POST_UNCONFIRMED, EventType.POST_PARTIALLY_PUBLISHED]),
        (PostStatus.FAILED, [U], [EventType.POST_UNCONFIRMED]),
        (PostStatus.FAILED, [U, F], [EventType.POST_UNCONFIRMED]),
        (PostStatus.CANCELED, [C], []),
        (PostStatus.PUBLISHING, [P], []),
    ],
)
def test_a_post_is_told_as_what_its_caller_should_do(
    status: PostStatus, targets: list[TargetStatus], told: list[EventType]
) -> None:
    assert list(post_settled(status, targets)) == told


@pytest.mark.parametrize("status", ["receiving", "scanning", "processing"])
def test_media_are_told_once_they_are_settled(status: str) -> None:
    assert media_settled(status) is None
    assert media_settled("ready") is EventType.MEDIA_READY


def test_the_body_has_exactly_what_it_is_said_to_have() -> None:
    news = News(cause="c", type=EventType.MEDIA_READY, live=None, happened_at=NOW, data={"id": "med_1"})
    assert envelope("evt_1", "ws_1", news) == {
        "id": "evt_1",
        "type": "media.ready",
        "createdAt": "2026-11-25T09:30:00.000Z",
        "workspaceId": "ws_1",
        "data": {"id": "med_1"},
    }


def test_a_body_that_would_be_too_long_keeps_its_short_members() -> None:
    data: dict[str, JSON] = {
        "id": "post_1",
        "status": "failed",
        "text": "x" * 201,
        "targets": [{}],
        "url": None,
        "n": 7,
    }
    news = News(cause="c", type=EventType.POST_FAILED, live=True, happened_at=NOW, data=data)
    assert shortened(news).data == {"id": "post_1", "status": "failed", "url": None, "n": 7}


def test_every_event_but_the_test_can_be_subscribed_to() -> None:
    assert subscription_problems(OFFERED) == []
    assert EventType.TEST not in OFFERED
    assert [it.field for it in subscription_problems(["media.ready", "media.gone", "webhook.test"])] == [
        "events[1]",
        "events[2]",
    ]
    assert subscription_problems([])


def test_texts_of_an_endpoint_have_bounds() -> None:
    assert endpoint.problems("https://example.com/", "") == []
    assert [it.field for it in endpoint.problems("x" * 2_001, "x" * 501)] == ["url", "description"]
    assert endpoint.problems(None, None) == []


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_r4_pauses_are_the_schedules_and_up_to_a_tenth_longer(chance: float) -> None:
    refused = judged(500)
    pauses = [pause_s(SCHEDULE, n, refused, chance=chance, now=NOW) for n in range(1, 10)]
    assert pauses[:-1] == [s * (1 + 0.1 * chance) for s in (5, 30, 120, 600, 1_800, 7_200, 21_600, 43_200)]
    assert pauses[-1] is None


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [("1", 5), ("60", 60), ("100000", 43_200), ("-5", 5), ("soon", 5), ("", 5), (None, 5), ("9" * 400, 43_200),
     ("Wed, 25 Nov 2026 09:32:00 GMT", 120), ("Tue, 24 Nov 2026 09:32:00 GMT", 5)],
)  # fmt: skip
def test_retry_after_lengthens_a_pause_within_bounds(retry_after: str | None, pause: float) -> None:
    assert pause_s(SCHEDULE, 1, judged(503, retry_after), chance=0, now=NOW) == pause


def test_a_date_without_a_zone_is_utc() -> None:
    moment = NOW + timedelta(seconds=90)
    assert wanted_s(moment.strftime("%a, %d %b %Y %H:%M:%S -0000"), NOW) == 90


@pytest.mark.parametrize(
    ("status", "fault"),
    [(200, None), (204, None), (299, None), (301, Fault.REDIRECTED), (304, Fault.REDIRECTED), (400, Fault.REFUSED),
     (410, Fault.REFUSED), (429, Fault.REFUSED), (500, Fault.REFUSED), (100, Fault.REFUSED)],
)  # fmt: skip
def test_only_2xx_takes_an_event(status: int, fault: Fault | None) -> None:
    assert judged(status) == Outcome(status, fault)
