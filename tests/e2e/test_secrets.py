"""What must never be written down: planted, used, and then looked for everywhere the service writes."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx

from deploy.local.stack import Stack
from tests import media
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy


def test_keys_credentials_and_places_are_in_no_log_no_table_and_no_event(stack: Stack, tenancy: Tenancy) -> None:
    client = tenancy.client
    password, alt_text = f"sandbox-{secrets.token_hex(12)}", f"alt-{secrets.token_hex(12)}"
    key = client.http.headers["Authorization"].removeprefix("Bearer ")
    credentials = {"identifier": "canary.test", "password": password}
    account = body(client.http.post("/v1/accounts", json={"platform": "bluesky", "credentials": credentials}))
    photo = client.stored(media.jpeg(640, 480, gps=True), altText=alt_text)
    target = {"platform": "bluesky", "accountId": account["id"]}
    post = client.settled_post(body(client.create_post("canaries", [photo["id"]], [target]))["id"])
    assert post["status"] == "published", post
    endpoint = body(
        client.http.post(
            "/v1/webhook-endpoints",
            json={"url": "https://1.1.1.1/", "events": ["account.invalid"]},
            headers={"Idempotency-Key": "canary"},  # so that its answer is kept
        )
    )
    # Where they go wrong, too.
    assert httpx.get(f"{stack.url}/v1/media", params={"api_key": key}).status_code == 401
    refused = client.http.post(
        "/v1/accounts",
        json={"platform": "bluesky", "credentials": {"identifier": "canary.test", "password": f"bad-{password}"}},
    )
    assert refused.status_code == 422
    assert client.http.post("/v1/accounts", content=f'{{"credentials": "{password}"'.encode()).status_code == 400

    database_password = stack.state.secret("postgres-publisher")
    secret_words = {
        "API key": key.rsplit("_", 1)[1],
        "account's password": password,
        "webhook's secret": endpoint["secret"].removeprefix("whsec_"),
        "database password": database_password,
        "key encryption key": stack.state.secret("kek", size_bytes=32),
    }
    logs = list(lines(stack.state.folder("logs")))
    assert logs
    for name, secret in {**secret_words, "alt text": alt_text}.items():
        assert [line for line in logs if secret.encode() in line] == [], name
    for name, secret in secret_words.items():
        assert holding(stack.state.root, secret.encode()) == [], name


def lines(folder: Path) -> Iterator[bytes]:
    for path in folder.glob("*.log"):
        yield from path.read_bytes().splitlines()


def holding(root: Path, secret: bytes) -> list[Path]:
    """Files of the whole installation that hold it, but for where secrets are kept, and the platforms' own memory."""
    kept = {root / "secrets", root / "sandbox", root / "env"}
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and not kept & {path, *path.parents} and secret in path.read_bytes()
    ]
