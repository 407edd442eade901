"""Two posts that say the same on one account, where the platform refuses the second."""

import uuid

import pytest

from deploy.local.stack import Stack
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy, received


@pytest.mark.parametrize("platform", ["x", "linkedin"])
def test_the_second_is_not_taken_for_the_first(stack: Stack, tenancy: Tenancy, platform: str) -> None:
    wanted = {
        "platform": platform,
        "displayName": platform,
        "credentials": {"access_token": f"sandbox-{uuid.uuid4().hex}"},
    }
    account = body(tenancy.client.http.post("/v1/accounts", json=wanted))
    targets, text = [{"platform": platform, "accountId": account["id"]}], f"Again {uuid.uuid4().hex}"
    posts = []
    for _ in range(2):
        created = body(tenancy.client.create_post(text, [], targets))
        posts.append(tenancy.client.settled_post(created["id"]))
    first, second = (post["targets"][0] for post in posts)
    assert (first["status"], second["status"]) == ("published", "failed"), posts
    assert (second["error"]["code"], second["platformPostId"]) == ("duplicate_post", None)
    assert [it["id"] for it in received(stack, platform) if it["text"] == text] == [first["platformPostId"]]
