"""A post that waits, and what its owner may still do to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import body, post_body
from tests.e2e.tenants import Tenancy, received


def scheduled(tenancy: Tenancy, text: str, *, in_s: float) -> dict[str, Any]:
    picture = tenancy.client.stored(media.jpeg(640, 480))
    wanted = post_body(text, [picture["id"]], tenancy.targets) | {"scheduledAt": moment(in_s)}
    made = body(tenancy.client.http.post("/v1/posts", json=wanted))
    assert made["status"] == "scheduled", made
    return made


def moment(in_s: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=in_s)).isoformat()


def texts(stack: Stack, platform: str) -> list[str]:
    return [post["text"] for post in received(stack, platform)]


def test_it_is_changed_and_published_when_due_and_not_before(stack: Stack, tenancy: Tenancy) -> None:
    http = tenancy.client.http
    post = scheduled(tenancy, "as first thought", in_s=3600)
    path = f"/v1/posts/{post['id']}"
    tag = http.get(path).headers["etag"]
    changes = {"text": "as thought again", "scheduledAt": moment(2)}
    changed = body(http.patch(path, json=changes, headers={"If-Match": tag}))
    assert (changed["text"], changed["media"]) == ("as thought again", post["media"])
    assert http.patch(path, json=changes, headers={"If-Match": tag}).status_code == 412
    settled = tenancy.client.settled_post(post["id"])
    assert settled["status"] == "published", settled
    due = datetime.fromisoformat(changed["scheduledAt"])
    assert all(datetime.fromisoformat(target["publishedAt"]) >= due for target in settled["targets"])
    assert texts(stack, "bluesky").count("as thought again") == 1
    assert "as first thought" not in texts(stack, "bluesky")
    refused = http.patch(path, json={"text": "too late"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "post_state_conflict")


def test_it_is_canceled_and_never_published(stack: Stack, tenancy: Tenancy) -> None:
    post = scheduled(tenancy, "never mind", in_s=1.5)
    canceled = body(tenancy.client.http.delete(f"/v1/posts/{post['id']}"))
    assert canceled["status"] == "canceled"
    assert {target["status"] for target in canceled["targets"]} == {"canceled"}
    later = scheduled(tenancy, "the one after it", in_s=2.5)
    assert tenancy.client.settled_post(later["id"])["status"] == "published"
    assert "never mind" not in texts(stack, "bluesky")


def test_what_a_platform_refused_is_sent_again_on_demand_and_what_it_took_is_not(tenancy: Tenancy) -> None:
    client = tenancy.client
    picture = client.stored(media.jpeg(700, 500))["id"]
    [board] = [target for target in tenancy.targets if target["platform"] == "pinterest"]
    nowhere = {**board, "options": {"boardId": "404"}}
    second = client.settled_post(body(client.create_post("on no board", [picture], [nowhere]))["id"])
    refusal = second["targets"][0]["error"]["code"]
    first = client.settled_post(body(client.create_post("on a board", [picture], [board]))["id"])
    assert (second["status"], first["status"]) == ("failed", "published")
    again = client.http.post(f"/v1/posts/{second['id']}/retry", json={}, headers={"Prefer": "wait=30"})
    assert (again.status_code, again.json()["targets"][0]["error"]["code"]) == (200, refusal)
    refused = client.http.post(f"/v1/posts/{first['id']}/retry", json={"confirmResend": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "post_state_conflict")


def test_a_form_that_has_rules_of_its_own_is_refused_beforehand(tenancy: Tenancy) -> None:
    http = tenancy.client.http
    film = tenancy.client.stored(media.film(1280, 720, seconds=4, fps=25, options={"preset": "ultrafast"}), "wide.mp4")
    assert film["fit"]["facebook"]["ok"]
    credentials = {"access_token": f"sandbox-{tenancy.workspace_id}"}
    account = body(http.post("/v1/accounts", json={"platform": "facebook", "credentials": credentials}))
    wanted = post_body("lying", [film["id"]], [{"accountId": account["id"], "options": {"mediaType": "reel"}}])
    [problem] = body(http.post("/v1/posts/validate", json=wanted))["errors"]
    assert problem["field"] == "media[0].mediaId"
    assert "width / height is 1.778" in problem["message"]
    refused = http.post("/v1/posts", json=wanted)
    assert (refused.status_code, refused.json()["errors"]) == (422, [problem])
    feed = post_body("lying", [film["id"]], [{"accountId": account["id"]}])
    assert body(http.post("/v1/posts/validate", json=feed)) == {"valid": True, "errors": []}


def test_every_problem_is_told_before_anything_is_kept(tenancy: Tenancy) -> None:
    wanted = {
        "text": "x" * 900,
        "targets": [*tenancy.targets, {"platform": "radio"}],
        "media": [{"mediaId": "med_none"}],
    }
    found = body(tenancy.client.http.post("/v1/posts/validate", json=wanted))
    assert found["valid"] is False
    fields = {problem["field"] for problem in found["errors"]}
    assert fields >= {"targets[0].text", "targets[3].platform", "media[0].mediaId"}, found
    good = {"text": "short", "targets": tenancy.targets[:1]}
    assert body(tenancy.client.http.post("/v1/posts/validate", json=good)) == {"valid": True, "errors": []}
    assert body(tenancy.client.http.get("/v1/posts"))["data"] == []
