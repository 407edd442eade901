"""Our publisher for Threads against Threads as its sandbox plays it, over real HTTP."""

import httpx
import pytest

from services.platforms.ports import Absent, Fault, OutcomeUnknown, PlatformError, Receipt
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.cdn import Cdn
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Steps, draft

PUBLISH = "*/threads_publish"


async def test_an_account_is_verified_and_its_token_made_to_last(threads: Played) -> None:
    verified = await threads.publisher.verify(threads.http, threads.account("anna"))
    assert (verified.display_name, verified.external_id) == ("@anna", verified.credentials["user_id"])
    assert verified.credentials["access_token"].startswith("sandbox-anna.")


async def test_a_text_alone_is_a_post(threads: Played) -> None:
    receipt = await threads.published(await threads.connected("text"), draft("Only words 😀"))
    newest = (await threads.received())[0]
    assert (newest["id"], newest["text"], newest["media"]) == (receipt.platform_post_id, "Only words 😀", [])
    assert receipt.url == f"https://www.threads.com/@text/post/{receipt.platform_post_id}"


@pytest.mark.parametrize("data", [samples.picture(kind="PNG"), samples.film(1)], ids=["photo", "film"])
async def test_one_medium_arrives_byte_for_byte(threads: Played, cdn: Cdn, data: bytes) -> None:
    await threads.published(await threads.connected("one"), draft("look", cdn.asset(data, "noise")))
    (medium,) = (await threads.received())[0]["media"]
    assert (await threads.file(medium["sha256"])).content == data
    assert medium["altText"] == "noise"


async def test_a_carousel_mixes_photos_and_videos_in_their_order(threads: Played, cdn: Cdn) -> None:
    files = [samples.picture(), samples.film(1), samples.picture(kind="PNG")]
    assets = [cdn.asset(data, f"number {n}") for n, data in enumerate(files)]
    await threads.published(await threads.connected("carousel"), draft("three", *assets))
    media = (await threads.received())[0]["media"]
    assert [(await threads.file(one["sha256"])).content for one in media] == files
    assert [one["altText"] for one in media] == ["number 0", "number 1", "number 2"]


async def test_a_reply_says_what_it_answers(threads: Played) -> None:
    account = await threads.connected("reply")
    first = await threads.published(account, draft("a question"))
    await threads.published(account, draft("an answer", options={"replyToId": first.platform_post_id}))
    newest = (await threads.received())[0]
    assert (newest["kind"], newest["replyTo"]) == ("reply", first.platform_post_id)


@pytest.mark.parametrize("mode", ["drop_before", "error"])
async def test_what_was_not_published_may_be_sent_again(threads: Played, mode: str) -> None:
    case = await Case.ready(threads, f"before-{mode}".replace("_", "-"), draft("again"))
    await threads.order(PUBLISH, mode)
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    assert await case.reconcile() == Absent(safe_to_send=True)
    receipt = await case.publish()
    assert await case.published() == [receipt.platform_post_id]


@pytest.mark.parametrize("options", [{}, {"replyToId": "1"}], ids=["post", "reply"])
async def test_what_was_published_is_found_by_its_container(threads: Played, options: dict[str, str]) -> None:
    case = await Case.ready(threads, f"after-{len(options)}", draft("found", options=dict(options)))
    await threads.order(PUBLISH, "drop_after")
    with pytest.raises(httpx.TransportError):
        await case.publish()
    found = await case.reconcile()
    assert isinstance(found, Receipt)
    assert [found.platform_post_id] == await case.published()


async def test_a_container_sent_twice_is_published_once(threads: Played) -> None:
    case = await Case.ready(threads, "twice", draft("twice"))
    receipt = await case.publish()
    with pytest.raises(OutcomeUnknown):
        await case.publish()
    assert await case.reconcile() == receipt
    assert await case.published() == [receipt.platform_post_id]


@pytest.mark.parametrize(
    ("data", "fault", "code"),
    [
        (samples.picture(20, 320), Fault.PERMANENT, "post_refused"),
        (samples.picture(kind="WEBP"), Fault.PERMANENT, "post_refused"),
        (samples.film(301, 16, 16), Fault.PERMANENT, "duration_unsupported"),
    ],
    ids=["narrow", "webp", "long"],
)
async def test_media_threads_does_not_take(threads: Played, cdn: Cdn, data: bytes, fault: Fault, code: str) -> None:
    with pytest.raises(PlatformError) as caught:
        await threads.prepared(await threads.connected("refused"), draft("x", cdn.asset(data)))
    assert (caught.value.fault, caught.value.code) == (fault, code)


async def test_a_video_that_is_not_reached_takes_a_new_container(threads: Played, cdn: Cdn) -> None:
    account, steps = await threads.connected("unreached"), Steps()
    film = samples.film(1)
    asset = samples.asset(film, url=f"{cdn.url}/later")
    with pytest.raises(PlatformError) as caught:
        await threads.prepared(account, draft("x", asset), steps)
    assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "media_unreachable")
    cdn.files["later"] = (film, "video/mp4")
    await threads.published(account, draft("x", asset))
    assert len((await threads.received())[0]["media"]) == 1


async def test_a_limit_on_requests_is_waited_out(threads: Played) -> None:
    account = await threads.connected("busy")
    await threads.order("*/threads", "429")
    with pytest.raises(PlatformError) as caught:
        await threads.published(account, draft("later"))
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limited")
