"""Workspaces made for one test."""

from functools import cached_property
from typing import Any

import httpx

from deploy.local.stack import Stack
from deploy.local.tenant import demo_accounts
from services.common import ids
from tests.e2e.client import Client, body

USUAL = ("bluesky", "x", "pinterest")  # enough where a test is not about platforms


class Tenancy:
    """A new workspace with a key. mode: of the key, test or live."""

    def __init__(self, stack: Stack, *, mode: str = "test") -> None:
        self._stack = stack
        self.workspace_id = ids.new("ws")
        stack.tenant.create_workspace(self.workspace_id, "Test")
        self.client = Client(stack.url, stack.tenant.issue_key(self.workspace_id, mode=mode))

    @cached_property
    def targets(self) -> list[dict[str, str]]:
        """One account of each of `USUAL`, connected through the API."""
        made = []
        for account in (one for one in demo_accounts() if one.platform in USUAL):
            wanted = {
                "platform": account.platform,
                "displayName": account.display_name,
                "credentials": dict(account.credentials),
            }
            connected = body(self.client.http.post("/v1/accounts", json=wanted))
            made.append({"platform": account.platform, "accountId": connected["id"]})
        return made


def received(stack: Stack, platform: str) -> list[dict[str, Any]]:
    """What that platform's sandbox has published, newest first."""
    answer = httpx.get(f"{stack.wiring.sandbox_url}/{platform}/_sandbox/posts", params={"limit": "1000"}, timeout=20)
    posts: list[dict[str, Any]] = body(answer)["posts"]
    return posts
