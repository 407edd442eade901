"""Our publisher for LinkedIn against LinkedIn as its sandbox plays it, over real HTTP."""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

import httpx
import pytest

from services.platforms.linkedin.api import VERSION
from services.platforms.ports import JSON, Absent, Account, CannotTell, Fault, OutcomeUnknown, PlatformError, Receipt
from services.platforms.sandboxing.tokens import number_of
from tests import media
from tests.contract.platforms import samples
from tests.contract.platforms.cases import Case
from tests.contract.platforms.playing import Played
from tests.contract.platforms.samples import Reading, Steps, asset, draft

POSTS, IMAGES, VIDEOS, STORE = "/rest/posts", "/rest/images*", "/rest/videos*", "/dms-uploads/*"
PART_BYTES = 4 * 1024 * 1024


@cache
def film(seconds: float = 4) -> bytes:
    """One LinkedIn takes, unless it is told otherwise."""
    data = media.film(640, 360, seconds=seconds, fps=24, options={"preset": "ultrafast", "crf": "40"})
    return samples.padded(data, max(len(data) + 8, 80_000))


async def of(linkedin: Played, name: str) -> list[dict[str, Any]]:
    """What that account has there."""
    return [post for post in await linkedin.received() if post["account"] == name]


async def test_a_member_is_verified(linkedin: Played) -> None:
    verified = await linkedin.publisher.verify(linkedin.http, linkedin.account("anna"))
    assert (verified.display_name, verified.external_id) == ("anna", f"urn:li:person:{number_of('anna')}")


async def test_an_organization_is_verified_and_posts(linkedin: Played) -> None:
    account = await linkedin.connected("works", organization_id=number_of("works"))
    await linkedin.published(account, draft("from all of us"))
    (post,) = await of(linkedin, "works")
    assert post["wanted"]["author"] == f"urn:li:organization:{number_of('works')}"
    with pytest.raises(PlatformError) as caught:
        await linkedin.connected("works", organization_id="1")
    assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, "not_permitted")


@pytest.mark.parametrize(
    ("token", "code"), [("stolen", "credentials_refused"), ("sandbox-reader.readonly", "not_permitted")]
)
async def test_an_account_that_may_not_post_is_told_so(linkedin: Played, token: str, code: str) -> None:
    for wanted in (draft("x"), draft("x", asset(samples.picture())), draft("x", asset(film()))):
        with pytest.raises(PlatformError) as caught:
            await linkedin.published(
                Account("acc_test", linkedin.url, {"access_token": token, "author": "urn:li:person:1"}), wanted
            )
        assert (caught.value.fault, caught.value.code) == (Fault.ACCOUNT, code)


async def test_a_text_is_seen_as_it_was_written(linkedin: Played) -> None:
    text = r"#Launch (v1.0) of {our} <API> | 50 % off_today* a\b ~x~ [y] @anna #größe"
    receipt = await linkedin.published(
        await linkedin.connected("text"), draft(text, options={"visibility": "connections"})
    )
    (post,) = await of(linkedin, "text")
    assert (post["text"], post["wanted"]["visibility"]) == (text, "CONNECTIONS")
    assert receipt == Receipt(post["id"], f"https://www.linkedin.com/feed/update/{post['id']}/")


@pytest.mark.parametrize("count", [1, 2, 20])
async def test_images_in_their_order(linkedin: Played, count: int) -> None:
    name, pictures = f"images-{count}", [samples.picture(64, 48) for _ in range(count)]
    wanted = draft("what they show", *(asset(it, alt_text=f"noise {n}") for n, it in enumerate(pictures)))
    await linkedin.published(await linkedin.connected(name), wanted)
    (post,) = await of(linkedin, name)
    assert [it["sha256"] for it in post["media"]] == [sha256(it).hexdigest() for it in pictures]
    assert [it["altText"] for it in post["media"]] == [f"noise {n}" for n in range(count)]


@pytest.mark.parametrize("size", [0, 2 * PART_BYTES + 7])
async def test_a_video_in_parts(linkedin: Played, size: int) -> None:
    name, data = f"video-{size}", samples.padded(film(), size) if size else film()
    wanted = draft("moving", asset(data, alt_text="noise"), options={"title": "Waves"})
    await linkedin.published(await linkedin.connected(name), wanted)
    (post,) = await of(linkedin, name)
    (medium,) = post["media"]
    assert (medium["sha256"], medium["altText"], post["title"]) == (sha256(data).hexdigest(), "noise", "Waves")


async def test_a_video_goes_on_at_the_part_it_reached(linkedin: Played) -> None:
    data = samples.padded(film(), 3 * PART_BYTES)
    account, steps, wanted = await linkedin.connected("broken"), Steps(), draft("broken", asset(data))
    read = wanted.assets[0].read
    assert isinstance(read, Reading)
    read.breaks_after = 2 * PART_BYTES + 200_000
    with pytest.raises(ConnectionError):
        await linkedin.publisher.prepare(linkedin.http, account, wanted, steps)
    assert len(list(steps.kept["medium-0"]["etags"])) == 2  # type: ignore[arg-type]
    read.breaks_after = None
    assert await Case(linkedin, account, wanted, await linkedin.prepared(account, wanted, steps)).publish()
    (post,) = await of(linkedin, "broken")
    assert post["media"][0]["sha256"] == sha256(data).hexdigest()


@pytest.mark.parametrize("mode", ["drop_after", "error"])
@pytest.mark.parametrize(
    ("path", "method", "moves"),
    [
        (IMAGES, "POST", False),
        (IMAGES, "GET", False),
        (STORE, "PUT", False),
        (STORE, "PUT", True),
        (VIDEOS, "POST", True),
        (VIDEOS, "GET", True),
    ],
)
async def test_whatever_step_before_fails_there_is_one_post(
    linkedin: Played, path: str, method: str, moves: bool, mode: str
) -> None:
    name = f"step-{path.strip('/*')}-{method}-{moves}-{mode}".replace("_", "-").replace("/", "-").lower()
    account, steps = await linkedin.connected(name), Steps()
    wanted = draft("once", asset(film() if moves else samples.picture()))
    await linkedin.order(path, mode, method=method)
    with pytest.raises(PlatformError) as caught:
        await linkedin.publisher.prepare(linkedin.http, account, wanted, steps)
    assert caught.value.fault is Fault.TRANSIENT
    receipt = await Case(linkedin, account, wanted, await linkedin.prepared(account, wanted, steps)).publish()
    assert [post["id"] for post in await of(linkedin, name)] == [receipt.platform_post_id]


@pytest.mark.parametrize(("mode", "sent"), [("drop_before", False), ("error", False), ("drop_after", True)])
@pytest.mark.parametrize("kind", ["text", "image", "images", "video"])
async def test_a_lost_answer_is_looked_up(linkedin: Played, kind: str, mode: str, sent: bool) -> None:
    name = f"lost-{kind}-{mode}".replace("_", "-")
    account = await linkedin.connected(name)
    await linkedin.published(account, draft("the one before", asset(samples.picture())))
    count = {"text": 0, "images": 2}.get(kind, 1)
    assets = [asset(film() if kind == "video" else samples.picture()) for _ in range(count)]
    wanted = draft("lost (once) #today", *assets)
    case = Case(linkedin, account, wanted, await linkedin.prepared(account, wanted))
    await linkedin.order(POSTS, mode, method="POST")
    with pytest.raises((OutcomeUnknown, httpx.TransportError)):
        await case.publish()
    found = await case.reconcile()
    assert isinstance(found, Receipt) if sent else found == Absent(safe_to_send=False)
    if sent:
        assert await case.publish() == found  # a duplicate, and ours
    assert len(await of(linkedin, name)) == 1 + sent


async def test_a_member_who_may_see_nothing_waits_and_stays_in_doubt(linkedin: Played) -> None:
    account, steps = await linkedin.connected("blind.social"), Steps()
    wanted = draft("blind", asset(samples.picture()))
    with pytest.raises(PlatformError) as caught:
        await linkedin.publisher.prepare(linkedin.http, account, wanted, steps)
    assert (caught.value.fault, caught.value.code) == (Fault.NOT_READY, "media_processing")
    assert 0 < (caught.value.retry_after_s or 0) <= 5
    await linkedin.prepared(await linkedin.connected("blind"), wanted, steps)  # it is available by then
    steps.kept["medium-0"] = {**steps.kept["medium-0"], "sent": 0.0}
    case = Case(linkedin, account, wanted, await linkedin.publisher.prepare(linkedin.http, account, wanted, steps))
    await linkedin.order(POSTS, "drop_after", method="POST")
    with pytest.raises(httpx.TransportError):
        await case.publish()
    assert await case.reconcile() == CannotTell(for_good=True)
    assert len(await of(linkedin, "blind")) == 1


@pytest.mark.parametrize(
    "made",
    [
        samples.mislabelled(samples.picture(kind="WEBP"), "image/jpeg"),
        samples.mislabelled(b"\0\0\0\x18ftyp" + b"x" * 80_000, "video/mp4"),
    ],
    ids=["webp", "noise"],
)
async def test_media_linkedin_cannot_process_are_told(linkedin: Played, made: Any) -> None:
    with pytest.raises(PlatformError) as caught:
        await Case.ready(linkedin, "unfit", draft("x", made))
    assert (caught.value.fault, caught.value.code) == (Fault.PERMANENT, "media_refused")


async def test_an_upload_linkedin_forgot_begins_anew(linkedin: Played) -> None:
    account, wanted = await linkedin.connected("forgotten"), draft("x", asset(samples.picture()))
    gone: list[dict[str, JSON]] = [
        {"urn": "urn:li:image:1", "sent": 0.0},
        {"urn": "1", "url": f"{linkedin.url}/dms-uploads/1/image"},
    ]
    for state in gone:
        with pytest.raises(PlatformError) as caught:
            await linkedin.publisher.prepare(linkedin.http, account, wanted, Steps({"medium-0": state}))
        assert (caught.value.fault, caught.value.code) == (Fault.REBUILD, "upload_lost")


async def test_an_expired_token_is_renewed_and_kept(linkedin: Played) -> None:
    kept: list[Mapping[str, str]] = []

    async def save(credentials: Mapping[str, str]) -> None:
        kept.append(credentials)

    old = {"access_token": "old", "refresh_token": "sandbox-renewed.1", "client_id": "app", "client_secret": "secret"}
    verified = await linkedin.publisher.verify(linkedin.http, Account("acc_test", linkedin.url, old, save))
    assert [it["refresh_token"] for it in kept] == [verified.credentials["refresh_token"]]
    assert verified.credentials["refresh_token"] != old["refresh_token"]


async def test_the_allowance_of_a_day_lasts_until_midnight(linkedin: Played) -> None:
    case = await Case.ready(linkedin, "busy", draft("busy"))
    await linkedin.order(POSTS, "429")
    with pytest.raises(PlatformError) as caught:
        await case.publish()
    assert (caught.value.fault, caught.value.code) == (Fault.QUOTA, "daily_limit")
    assert 0 < (caught.value.retry_after_s or 0) <= 86_400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Linkedin-Version": ""}, 400),
        ({"Linkedin-Version": "202401"}, 426),
        ({"Linkedin-Version": "soon"}, 426),
        ({"X-Restli-Protocol-Version": "1.0.0"}, 400),
        ({"Authorization": "Bearer stolen"}, 401),
        ({}, 400),
    ],
)
async def test_the_sandbox_wants_its_headers(linkedin: Played, headers: dict[str, str], status: int) -> None:
    ours = {"Authorization": "Bearer sandbox-a", "Linkedin-Version": VERSION, "X-Restli-Protocol-Version": "2.0.0"}
    answer = await linkedin.http.post(linkedin.url + POSTS, json={}, headers={**ours, **headers})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "changed",
    [
        {"commentary": "an unescaped (one)"},
        {"commentary": "a" * 3_001},
        {"commentary": " "},
        {"visibility": "EVERYBODY"},
        {"lifecycleState": "DRAFT"},
        {"distribution": {}},
        {"colour": "red"},
        {"content": {"media": {"id": "urn:li:image:none"}}},
        {"content": {"multiImage": {"images": [{"id": "urn:li:image:none"}]}}},
        {"author": "urn:li:person:1"},
    ],
)
async def test_the_sandbox_takes_no_other_posts(linkedin: Played, changed: dict[str, Any]) -> None:
    headers = {"Authorization": "Bearer sandbox-a", "Linkedin-Version": VERSION, "X-Restli-Protocol-Version": "2.0.0"}
    right = {
        "author": f"urn:li:person:{number_of('a')}", "commentary": "x", "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED", "isReshareDisabledByAuthor": False,
    }  # fmt: skip
    answer = await linkedin.http.post(linkedin.url + POSTS, json={**right, **changed}, headers=headers)
    assert answer.status_code in (400, 403)
