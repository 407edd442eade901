"""The life of a media item, as a table."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from services.common.errors import Code, MediaError
from services.ingest.domain import media as domain
from services.ingest.domain.formats import Kind
from services.ingest.domain.media import GONE, NEXT, Fault, Media, Sealed, State

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def item(state: State, **more: object) -> Media:
    fixed: dict[str, object] = {
        "workspace_id": "ws_1",
        "media_id": "med_1",
        "state": state,
        "kind": Kind.IMAGE,
        "content_type": "image/jpeg",
        "quarantine_key": "med_1/q",
        "active_key": "sources/med_1/a",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=30),
    }
    return Media(**{**fixed, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_only_the_steps_of_the_table_are_taken(before: State, after: State) -> None:
    if after in NEXT[before]:
        moved = item(before, tries=3).to(after)
        assert (moved.state, moved.version, moved.tries) == (after, 2, 0)
    else:
        with pytest.raises(MediaError) as caught:
            item(before).to(after)
        assert caught.value.code is Code.INTERNAL


def test_nothing_becomes_ready_but_what_was_scanned_and_processed() -> None:
    assert [before for before in State if State.READY in NEXT[before]] == [State.PROCESSING]
    assert [before for before in State if State.PROCESSING in NEXT[before]] == [State.SCANNING]
    assert NEXT[State.RECEIVING] == {State.SCANNING} | GONE


def test_a_tombstone_forgets_what_people_wrote() -> None:
    gone = item(State.READY, filename="me.jpg", alt_text="me", view="{}").tombstone(State.DELETED)
    assert (gone.filename, gone.alt_text, gone.view, gone.visible(NOW)) == ("", None, None, False)


def test_an_expired_item_is_not_visible_before_any_sweeper_came() -> None:
    assert item(State.READY).visible(NOW)
    assert not item(State.READY).visible(NOW + timedelta(days=30))


@pytest.mark.parametrize(("plan", "days"), [("free", 30), ("pro", 90), ("business", 365), ("unheard-of", 30)])
def test_the_plan_sets_the_expiry(plan: str, days: int) -> None:
    assert domain.expiry(NOW, plan) == NOW + timedelta(days=days)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (Code.MEDIA_CORRUPT, State.REJECTED),
        (Code.MEDIA_REJECTED_SECURITY, State.REJECTED),
        (Code.INTERNAL, State.FAILED),
        (Code.UNAVAILABLE, State.FAILED),
        (Code.OBJECT_CHANGED, State.FAILED),
        ("a_code_of_the_future", State.FAILED),
    ],
)
def test_bytes_at_fault_are_rejected_and_ours_failed(code: str, state: State) -> None:
    assert domain.state_for(code) is state


def test_a_view_settles_an_item_once_and_updates_it_afterwards() -> None:
    working = domain.settle(item(State.PROCESSING), view="1", settled=False, fault=None)
    assert (working.state, working.view, working.version) == (State.PROCESSING, "1", 2)
    ready = domain.settle(working, view="2", settled=True, fault=None)
    assert (ready.state, ready.view) == (State.READY, "2")
    later = domain.settle(ready, view="3", settled=True, fault=Fault(Code.MEDIA_CORRUPT))
    assert (later.state, later.view, later.fault) == (State.READY, "3", None)


def test_a_source_nobody_can_use_is_rejected_with_its_reason() -> None:
    rejected = domain.settle(item(State.PROCESSING), view="{}", settled=True, fault=Fault(Code.MEDIA_CORRUPT))
    assert rejected.state is State.REJECTED
    assert rejected.fault is not None
    assert rejected.fault.to_error().code is Code.MEDIA_CORRUPT


def test_a_security_rejection_names_threat_and_reason() -> None:
    error = domain.unsafe("Eicar", "infected").to_error()
    assert (error.code, error.details) == (Code.MEDIA_REJECTED_SECURITY, {"threat": "Eicar", "reason": "infected"})


def test_sealing_fixes_what_a_verdict_must_be_about() -> None:
    sealed = Sealed("med_1/q", "etag", 3, "abc")
    media = item(State.RECEIVING, multipart_id="up").seal(sealed, "alt")
    assert (media.sealed, media.alt_text, media.multipart_id, media.state) == (sealed, "alt", "", State.SCANNING)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (0, 9)),
        (0, None, (0, 9)),
        (3, None, (3, 9)),
        (3, 5, (3, 5)),
        (3, 99, (3, 9)),
        (9, 9, (9, 9)),
        (-3, None, (7, 9)),
        (-99, None, (0, 9)),
    ],
)
def test_ranges(first: int | None, last: int | None, expected: tuple[int, int]) -> None:
    assert domain.read_range(10, first, last) == expected


@pytest.mark.parametrize(("first", "last"), [(10, None), (99, 100), (5, 4)])
def test_ranges_beside_the_file(first: int, last: int | None) -> None:
    with pytest.raises(MediaError) as caught:
        domain.read_range(10, first, last)
    assert caught.value.code is Code.RANGE_NOT_SATISFIABLE


def test_backoff_doubles_up_to_its_bound() -> None:
    assert [domain.backoff_s(tries) for tries in (1, 2, 3, 4, 5, 100)] == [1, 2, 4, 8, 15, 15]
