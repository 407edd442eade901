"""The public network as our publisher meets it: its hosts, sessions that end, videos on their way."""

import base64
import json
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from services.platforms.bluesky import tokens
from services.platforms.bluesky.sandbox_accounts import Accounts
from services.platforms.ports import JSON, Account, Fault, PlatformError
from tests.contract.platforms import samples
from tests.contract.platforms.bluesky.network import PDS, VIDEO, Network
from tests.contract.platforms.samples import Steps, asset, draft, mislabelled

LOCAL_ACCOUNTS = Path(__file__).parents[4] / "deploy" / "local" / "accounts.toml"


async def test_the_entryway_says_where_the_account_lives(network: Network) -> None:
    await network.published(draft("from afar", asset(samples.picture())))
    await network.published(draft("again"))
    assert network.asked == [
        "bsky.social com.atproto.server.createSession",
        "pds.example.com com.atproto.repo.uploadBlob",
        "pds.example.com com.atproto.repo.createRecord",
        "pds.example.com com.atproto.repo.createRecord",
    ]


async def test_the_images_of_a_gallery_are_shown_with_their_descriptions(network: Network) -> None:
    pictures = [samples.picture() for _ in range(5)]
    await network.published(draft("", *(asset(data, alt_text=f"number {n}") for n, data in enumerate(pictures))))
    (post,) = (await network.http.get(f"{PDS}/_sandbox/posts")).json()["posts"]
    assert [(it["altText"], it["sizeBytes"]) for it in post["media"]] == [
        (f"number {n}", len(data)) for n, data in enumerate(pictures)
    ]


async def test_a_video_goes_through_the_networks_service(network: Network) -> None:
    data, steps = samples.film(), Steps()
    receipt = await network.published(draft("a film", asset(data, alt_text="noise")), steps)
    asked = list(dict.fromkeys(network.asked))
    assert asked == [
        "bsky.social com.atproto.server.createSession",
        "pds.example.com com.atproto.server.describeServer",
        "pds.example.com com.atproto.server.getServiceAuth",
        "video.bsky.app app.bsky.video.getUploadLimits",
        "video.bsky.app app.bsky.video.uploadVideo",
        "video.bsky.app app.bsky.video.getJobStatus",
        "pds.example.com com.atproto.repo.createRecord",
    ]
    (post,) = (await network.http.get(f"{PDS}/_sandbox/posts")).json()["posts"]
    assert (post["id"], post["account"], post["text"]) == (receipt.platform_post_id, "alice.test", "a film")
    (film,) = post["media"]
    assert (film["contentType"], film["sizeBytes"], film["altText"]) == ("video/mp4", len(data), "noise")
    assert (await network.http.get(f"{PDS}/_sandbox/files/{film['sha256']}")).content == data


async def test_a_video_the_service_knows_is_not_processed_again(network: Network) -> None:
    film = asset(samples.film())
    await network.published(draft("once", film))
    network.asked.clear()
    await network.published(draft("and again", film))
    assert "video.bsky.app app.bsky.video.getJobStatus" not in network.asked


async def test_a_video_in_process_says_when_to_come_back(network: Network) -> None:
    steps, wanted = Steps(), draft("", asset(samples.film()))
    with pytest.raises(PlatformError) as caught:
        await network.prepare(wanted, steps)
    assert (caught.value.fault, caught.value.code, caught.value.retry_after_s) == (
        Fault.NOT_READY, "video_processing", 1.5,
    )  # fmt: skip
    assert set(steps.kept["video"]) == {"service", "jobId"}
    await network.published(wanted, steps)
    assert network.asked.count("video.bsky.app app.bsky.video.uploadVideo") == 1


async def test_a_job_the_service_forgot_is_begun_anew(network: Network) -> None:
    steps = Steps({"video": {"service": VIDEO, "jobId": "forgotten"}})
    error = await network.fails(draft("", asset(samples.film())), steps)
    assert (error.fault, error.code) == (Fault.REBUILD, "video_job_lost")


async def test_a_video_that_is_none_is_refused_for_good(network: Network) -> None:
    error = await network.fails(draft("", mislabelled(samples.picture(), "video/mp4")))
    assert (error.fault, error.code) == (Fault.PERMANENT, "validation_failure")


async def test_a_used_up_allowance_ends_before_the_upload(network: Network) -> None:
    said: JSON = {
        "canUpload": False,
        "error": "DailyLimitExceeded",
        "message": "User has exceeded daily upload videos limit",
    }
    network.answer("app.bsky.video.getUploadLimits", 200, said)
    error = await network.fails(draft("", asset(samples.film())))
    assert (error.fault, error.code) == (Fault.QUOTA, "daily_video_limit")
    assert "video.bsky.app app.bsky.video.uploadVideo" not in network.asked


async def test_an_expired_token_is_renewed_without_the_password(network: Network) -> None:
    await network.published(draft("first"))
    claims: dict[str, JSON] = {"scope": tokens.ACCESS, "sub": await network.did(), "exp": time.time() - 1}
    expired = tokens.issue(await Accounts(network.state).key(), kind="at+jwt", claims=claims)
    network.change_session(lambda it: replace(it, access_token=expired))
    error = await network.fails(draft("second"))
    assert (error.fault, error.code) == (Fault.NOT_READY, "session_renewed")
    network.asked.clear()
    await network.published(draft("second"))
    assert network.asked[0] == "pds.example.com com.atproto.server.refreshSession"
    assert "bsky.social com.atproto.server.createSession" not in network.asked


async def test_a_token_close_to_its_end_is_renewed_before_it_is_used(network: Network) -> None:
    await network.published(draft("first"))
    (key, session), *_ = network.publisher._sessions._open.items()
    payload = session.access_token.split(".")[1]
    ends = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
    assert ends - 180 < session.fresh_until < ends
    network.change_session(lambda it: replace(it, fresh_until=time.time() - 1))
    network.asked.clear()
    await network.published(draft("second"))
    assert network.asked[0] == "pds.example.com com.atproto.server.refreshSession"
    assert network.publisher._sessions._open[key].fresh_until > time.time()


async def test_a_session_that_ended_is_opened_by_password(network: Network) -> None:
    await network.published(draft("first"))
    long_ago = time.time() - 3_600
    network.change_session(lambda it: replace(it, access_token="gone.gone.gone", opened_at=long_ago))
    error = await network.fails(draft("second"))
    assert (error.fault, error.code) == (Fault.NOT_READY, "session_renewed")
    network.asked.clear()
    await network.published(draft("second"))
    assert network.asked[0] == "bsky.social com.atproto.server.createSession"


async def test_a_new_session_that_is_refused_wants_the_account_connected_again(network: Network) -> None:
    await network.published(draft("first"))
    network.change_session(lambda it: replace(it, access_token="gone.gone.gone"))
    error = await network.fails(draft("second"))
    assert (error.fault, error.code) == (Fault.ACCOUNT, "invalid_token")


async def test_sessions_are_as_few_as_the_network_allows(network: Network) -> None:
    for _ in range(30):
        await network.publisher.verify(network.http, network.account)
    with pytest.raises(PlatformError) as caught:
        await network.publisher.verify(network.http, network.account)
    assert (caught.value.fault, caught.value.code) == (Fault.TRANSIENT, "rate_limit_exceeded")
    assert caught.value.retry_after_s is not None
    assert 280 < caught.value.retry_after_s <= 300
    await network.published(draft("the open session goes on"))


@pytest.mark.parametrize(
    ("mode", "fault", "code"),
    [
        ("error", Fault.TRANSIENT, "upstream_unavailable"),
        ("429", Fault.TRANSIENT, "rate_limit_exceeded"),
    ],
)
@pytest.mark.parametrize(
    "path", ["com.atproto.server.createSession", "com.atproto.repo.uploadBlob", "app.bsky.video.*"]
)
async def test_a_network_in_trouble_is_tried_again(
    network: Network, path: str, mode: str, fault: Fault, code: str
) -> None:
    order = {"path": f"/xrpc/{path}", "mode": mode, "times": 9}
    assert (await network.http.post(f"{PDS}/_sandbox/faults", json=order)).status_code == 201
    medium = samples.film() if "video" in path else samples.picture()
    error = await network.fails(draft("", asset(medium)))
    assert (error.fault, error.code) == (fault, code)
    await network.http.delete(f"{PDS}/_sandbox/faults")
    await network.published(draft("", asset(medium)))


async def test_the_local_stacks_account_is_one(network: Network) -> None:
    given = tomllib.loads(LOCAL_ACCOUNTS.read_text())["account"]
    (local,) = [account for account in given if account["platform"] == "bluesky"]
    verified = await network.publisher.verify(network.http, Account(local["id"], PDS, local["credentials"]))
    assert verified.display_name == local["credentials"]["identifier"]
