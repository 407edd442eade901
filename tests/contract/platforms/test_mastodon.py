"""Our publisher for Mastodon against a server as its sandbox plays it, over real HTTP."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.platforms.ports import (
    JSON,
    Absent,
    Account,
    CannotTell,
    Draft,
    Fault,
    OutcomeUnknown,
    PlatformError,
    Receipt,
)
from tests import media
from tests.contract.platforms import samples
from tests.contract.platforms.playing import Played, Sandboxes
from tests.contract.platforms.samples import Steps, asset, draft, mislabelled

STATUSES = "/api/v1/statuses"
LONG_AGO = timedelta(hours=2)
SETTLED = timedelta(minutes=2)  # since a try whose request has ended for sure


@pytest.fixture
async def mastodon(sandboxes: Sandboxes) -> AsyncIterator[Played]:
    """A server with the usual limits; no fault outlives its test."""
    played = sandboxes.platform("mastodon")
    yield played
    await sandboxes.http.delete(f"{played.url}/_sandbox/faults")


def key(played: Played, account: Account, wanted: Draft, age: timedelta = timedelta()) -> str:
    """A handle made that long ago."""
    return played.publisher.new_handle(wanted, account, datetime.now(UTC) - age, secrets.token_bytes)


async def of_text(played: Played, text: str) -> list[str]:
    """Ids of all posts received with this text."""
    return [post["id"] for post in await played.received() if post["text"] == text]


async def sent(played: Played, account: Account, wanted: Draft) -> Receipt:
    """Prepared and published."""
    prepared = await played.prepared(account, wanted)
    return await played.publisher.publish(played.http, account, wanted, prepared, key(played, account, wanted))


async def refused(played: Played, account: Account, wanted: Draft) -> PlatformError:
    """How preparing or publishing ends."""
    with pytest.raises(PlatformError) as caught:
        await sent(played, account, wanted)
    return caught.value


async def test_an_account_is_verified_and_told_with_its_server(mastodon: Played) -> None:
    verified = await mastodon.publisher.verify(mastodon.http, mastodon.account("verified"))
    assert verified.display_name == f"@verified@{httpx.URL(mastodon.url).netloc.decode()}"
    assert verified.credentials["user_id"] == verified.external_id


async def test_an_account_needs_a_server(mastodon: Played) -> None:
    nowhere = Account("acc_test", None, {"access_token": "sandbox-nowhere"})
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.verify(mastodon.http, nowhere)
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "service_url_missing")


async def test_text_alone_is_published(mastodon: Played) -> None:
    wanted = draft("Only words & a link: https://example.com/a?b=1")
    receipt = await mastodon.published(await mastodon.connected("text"), wanted)
    newest = (await mastodon.received())[0]
    assert (newest["id"], newest["text"], newest["media"]) == (receipt.platform_post_id, wanted.text, [])
    assert receipt.url == f"{mastodon.url}/@text/{receipt.platform_post_id}"


async def test_four_images_keep_their_order_bytes_and_descriptions(mastodon: Played) -> None:
    pictures = [samples.picture(100 + n, 80, kind) for n, kind in enumerate(["JPEG", "PNG", "WEBP", "JPEG"])]
    assets = [asset(data, alt_text=f"número {n}\nline two" if n % 2 else None) for n, data in enumerate(pictures)]
    await mastodon.published(await mastodon.connected("four"), draft("four of them", *assets))
    received = (await mastodon.received())[0]["media"]
    assert [one["altText"] for one in received] == [None, "número 1\nline two", None, "número 3\nline two"]
    assert [(await mastodon.file(one["sha256"])).content for one in received] == pictures


@pytest.mark.parametrize(
    ("data", "kind"),
    [(media.film(128, 96, seconds=1, audio=True), "video"), (samples.film(1), "gifv"), (samples.gif(), "gifv")],
    ids=["video", "silent", "gif"],
)
async def test_what_moves_is_waited_for(mastodon: Played, data: bytes, kind: str) -> None:
    account, steps = await mastodon.connected(f"moving-{kind}-{len(data)}"), Steps()
    wanted = draft("it moves", asset(data, alt_text="a camera pans"))
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.prepare(mastodon.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "media_processing")
    first = steps.kept["media0"]["id"]
    prepared = await mastodon.prepared(account, wanted, steps)
    assert prepared["media"] == [first]
    await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, key(mastodon, account, wanted))
    newest = (await mastodon.received())[0]
    assert [one["type"] for one in newest["record"]["media_attachments"]] == [kind]
    assert (await mastodon.file(newest["media"][0]["sha256"])).content == data
    assert newest["media"][0]["altText"] == "a camera pans"


async def test_options_reach_the_server(mastodon: Played) -> None:
    account = await mastodon.connected("options")
    first = await mastodon.published(account, draft("the first"))
    options: dict[str, JSON] = {
        "visibility": "unlisted", "spoilerText": "an answer", "sensitive": True, "language": "en",
        "inReplyToId": first.platform_post_id,
    }  # fmt: skip
    await sent(mastodon, account, draft("an answer", options=options))
    record = (await mastodon.received())[0]["record"]
    assert {name: record[name] for name in ("visibility", "spoiler_text", "sensitive", "language")} == {
        "visibility": "unlisted", "spoiler_text": "an answer", "sensitive": True, "language": "en",
    }  # fmt: skip
    assert record["in_reply_to_id"] == first.platform_post_id


@pytest.mark.parametrize("mode", ["drop_after", "error", "drop_before"])
@pytest.mark.parametrize("age", [timedelta(), LONG_AGO], ids=["at-once", "after-the-hour"])
async def test_a_lost_answer_is_looked_up(mastodon: Played, mode: str, age: timedelta) -> None:
    account = await mastodon.connected(f"lost-{mode}-{age.seconds}")
    wanted = draft(f"Lost & found by @anna@example.social: https://example.com/{mode}/{age.seconds}\n\n#lost")
    prepared, handle = await mastodon.prepared(account, wanted), key(mastodon, account, wanted, age)
    since = datetime.now(UTC) - SETTLED
    await mastodon.order(STATUSES, mode, method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, handle)
    found = await mastodon.publisher.reconcile(mastodon.http, account, wanted, prepared, handle, since)
    published = await of_text(mastodon, wanted.text)
    if mode == "drop_after":
        assert isinstance(found, Receipt)
        assert published == [found.platform_post_id]
    else:
        assert found == Absent(safe_to_send=not age)
        assert published == []


async def test_the_same_key_publishes_once_however_often_it_is_sent(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("twice"), draft("Once is enough.", asset(samples.picture()))
    prepared, handle = await mastodon.prepared(account, wanted), key(mastodon, account, wanted)
    await mastodon.order(STATUSES, "drop_after", method="POST")
    with pytest.raises(httpx.TransportError):
        await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, handle)
    receipts = {
        await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, handle) for _ in range(3)
    }  # fmt: skip
    assert [one.platform_post_id for one in receipts] == await of_text(mastodon, wanted.text)


async def test_a_lookup_nobody_allows_still_knows_the_key(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("no-list"), draft("unseen")
    elsewhere: dict[str, JSON] = {"userId": "no-such-account", "media": []}
    handle, old = key(mastodon, account, wanted), key(mastodon, account, wanted, LONG_AGO)
    ask, since = mastodon.publisher.reconcile, datetime.now(UTC) - SETTLED
    assert await ask(mastodon.http, account, wanted, elsewhere, handle, since) == Absent(safe_to_send=True)
    assert await ask(mastodon.http, account, wanted, elsewhere, old, since) == CannotTell()


async def test_a_second_try_does_not_prolong_the_hour(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("hour"), draft("said an hour ago")
    prepared, old = await mastodon.prepared(account, wanted), key(mastodon, account, wanted, LONG_AGO)
    since = datetime.now(UTC) - SETTLED
    found = await mastodon.publisher.reconcile(mastodon.http, account, wanted, prepared, old, since)
    assert found == Absent(safe_to_send=False)


async def test_a_request_that_may_be_under_way_is_not_sent_beside(mastodon: Played) -> None:
    account, wanted, since = await mastodon.connected("under-way"), draft("on its way"), datetime.now(UTC)
    prepared, handle = await mastodon.prepared(account, wanted), key(mastodon, account, wanted)
    assert await mastodon.publisher.reconcile(mastodon.http, account, wanted, prepared, handle, since) == CannotTell()


async def test_older_posts_are_no_evidence(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("older"), draft("said before")
    earlier = await mastodon.published(account, wanted)
    prepared, look = await mastodon.prepared(account, wanted), mastodon.publisher.reconcile
    then, later = (datetime.now(UTC) + timedelta(minutes=n) for n in (0, 30))
    handles = [f"{int(moment.timestamp())}-00" for moment in (then, later)]
    assert await look(mastodon.http, account, wanted, prepared, handles[0], then) == earlier
    assert not isinstance(await look(mastodon.http, account, wanted, prepared, handles[1], later), Receipt)


async def test_a_post_is_found_on_a_later_page(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("pages"), draft("under many others", options={"visibility": "direct"})
    handle, since = key(mastodon, account, wanted), datetime.now(UTC)
    prepared = await mastodon.prepared(account, wanted)
    receipt = await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, handle)
    for n in range(45):
        another = draft(f"number {n}")
        plain = {"userId": prepared["userId"], "media": []}
        await mastodon.publisher.publish(mastodon.http, account, another, plain, f"another-{n}")
    assert await mastodon.publisher.reconcile(mastodon.http, account, wanted, prepared, handle, since) == receipt


@pytest.mark.parametrize(("path", "mode"), [("/api/v2/media", "drop_after"), ("/api/v1/media/*", "error")])
async def test_a_lost_answer_to_an_upload_does_not_stop_it(mastodon: Played, path: str, mode: str) -> None:
    account, steps = await mastodon.connected(f"lost-upload-{mode}"), Steps()
    wanted = draft(f"film {mode}", asset(samples.film(1)))
    await mastodon.order(path, mode)
    faults = []
    for _ in range(20):
        try:
            prepared = await mastodon.publisher.prepare(mastodon.http, account, wanted, steps)
            break
        except PlatformError as exc:
            faults.append(exc.fault)
            await asyncio.sleep(0.2)
    assert faults.count(Fault.TRANSIENT) == 1
    await mastodon.publisher.publish(mastodon.http, account, wanted, prepared, key(mastodon, account, wanted))
    assert len(await of_text(mastodon, wanted.text)) == 1


async def test_an_upload_the_server_forgot_is_made_anew(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("forgotten"), draft("", asset(samples.picture()))
    steps = Steps()
    await mastodon.prepared(account, wanted, steps)
    steps.kept["media0"] = {**steps.kept["media0"], "id": "1"}
    with pytest.raises(PlatformError) as caught:
        await mastodon.prepared(account, wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")


async def test_media_gone_at_the_last_moment_are_made_anew(mastodon: Played) -> None:
    account, wanted = await mastodon.connected("gone"), draft("gone", asset(samples.picture()))
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.publish(mastodon.http, account, wanted, {"media": ["1"]}, "gone")
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "media_expired")


async def test_bytes_the_server_fails_on_are_tried_twice(mastodon: Played) -> None:
    account, steps = await mastodon.connected("thumbnail"), Steps()
    wanted = draft("cut short", mislabelled(samples.picture()[:3_000], "image/jpeg"))
    ends = []
    for _ in range(2):
        with pytest.raises(PlatformError) as caught:
            await mastodon.publisher.prepare(mastodon.http, account, wanted, steps)
        ends.append((caught.value.fault, caught.value.code))
    assert ends == [(Fault.TRANSIENT, "media_processing_failed"), (Fault.PERMANENT, "media_refused")]


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"\0\0\0\x18ftypisom" + bytes(5_000), "video/mp4", "media_refused"),
        (b"no picture" * 100, "image/jpeg", "post_refused"),
    ],
    ids=["video", "image"],
)
async def test_bytes_nobody_can_decode_are_refused_for_good(
    mastodon: Played, data: bytes, kind: str, code: str
) -> None:
    found = await refused(mastodon, await mastodon.connected("noise"), draft("noise", mislabelled(data, kind)))
    assert (found.fault, found.code) == (Fault.PERMANENT, code)


async def test_a_refused_token_wants_the_account_connected_again(mastodon: Played) -> None:
    stolen = Account("acc_test", mastodon.url, {"access_token": "stolen", "user_id": "1"})
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.verify(mastodon.http, stolen)
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "credentials_refused")
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.publish(mastodon.http, stolen, draft("no"), {"media": []}, "no")
    assert caught.value.fault is Fault.ACCOUNT


@pytest.mark.parametrize("path", [STATUSES, "/api/v2/media", "/api/v2/instance"])
async def test_too_many_requests_say_how_long_to_wait(mastodon: Played, path: str) -> None:
    account = await mastodon.connected("busy")
    await mastodon.order(path, "429")
    found = await refused(mastodon, account, draft("too many", asset(samples.picture())))
    assert (found.fault, found.code) == (Fault.TRANSIENT, "rate_limited")
    assert found.retry_after_s is not None
    assert 0 < found.retry_after_s <= 2


async def test_an_unreachable_server_did_nothing(mastodon: Played) -> None:
    away = Account("acc_test", "http://127.0.0.1:9", {"access_token": "sandbox-away"})
    with pytest.raises(PlatformError) as caught:
        await mastodon.publisher.publish(mastodon.http, away, draft("nobody there"), {"media": []}, "away")
    assert caught.value.fault is Fault.TRANSIENT


async def test_a_reply_to_nothing_is_refused(mastodon: Played) -> None:
    wanted = draft("to whom?", options={"inReplyToId": "1"})
    found = await refused(mastodon, await mastodon.connected("nobody"), wanted)
    assert (found.fault, found.code) == (Fault.PERMANENT, "not_found")
