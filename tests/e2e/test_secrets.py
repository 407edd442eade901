"""What must never be written down: planted, used, and then looked for everywhere the service writes."""

import io
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from PIL import Image
from psycopg import sql

from deploy.local.s3 import ACTIVE, QUARANTINE
from deploy.local.stack import Stack
from tests.e2e.client import body
from tests.e2e.tenants import Tenancy
from tests.media import picture

GPS_IFD, GPS_AREA = 0x8825, 0x1C
OWN_TABLES = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
# Below the state folder: where secrets are kept, what daemons are started with, and the platforms' own memory. Objects
# are looked at through the store.
KEPT = ("secrets", "env", "sandbox", "nats/nats.conf", "s3/identities.json", "s3/data", "postgres/password")


@dataclass(frozen=True, slots=True)
class Canary:
    """A text, and the places that may hold it: files below the state folder, `tables`, `sources` of the bucket."""

    text: str
    may: tuple[str, ...] = ()


def located(text: str) -> bytes:
    """A photograph whose EXIF says where it was taken, in words."""
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (52.0, 31.0, 12.0), GPS_AREA: b"ASCII\0\0\0" + text.encode()})
    buffer = io.BytesIO()
    picture(640, 480).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def word() -> str:
    return secrets.token_hex(12)


def planted(stack: Stack, tenancy: Tenancy) -> tuple[Mapping[str, Canary], str]:
    """Uses each of them, where all goes well and where it does not. The other one is the photo's id."""
    client, http = tenancy.client, tenancy.client.http
    key = http.headers["Authorization"].removeprefix("Bearer ")
    password, token, refresh = (f"sandbox-{word()}" for _ in range(3))
    place, alt_text, filename = f"place-{word()}", f"alt-{word()}", f"name-{word()}.jpg"

    bluesky = _connected(http, "bluesky", {"identifier": "canary.test", "password": password})
    x = _connected(http, "x", {"access_token": token, "refresh_token": refresh, "client_id": "canary"})
    photo = client.stored(located(place), filename, altText=alt_text)
    for platform, account in (("bluesky", bluesky), ("x", x)):
        post = body(client.create_post("canaries", [photo["id"]], [{"platform": platform, "accountId": account}]))
        assert client.settled_post(post["id"])["status"] == "published"
    endpoint = _answered_twice(
        http, "/v1/webhook-endpoints", {"url": "https://1.1.1.1/", "events": ["account.invalid"]}
    )
    rotated = body(http.post(f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret"))

    assert httpx.get(f"{stack.url}/v1/media", params={"api_key": key}).status_code == 401
    wrong = {"platform": "bluesky", "credentials": {"identifier": "canary.test", "password": f"bad-{password}"}}
    assert http.post("/v1/accounts", json=wrong).status_code == 422
    assert http.post("/v1/accounts", content=f'{{"credentials": "{password}"'.encode()).status_code == 400
    assert client.upload(b"nothing", f"bad-{filename}", altText=alt_text).status_code == 415

    state = stack.state
    canaries = {
        "API key": Canary(key.rsplit("_", 1)[1]),
        "app password": Canary(password),
        "OAuth token": Canary(token),
        "refresh token": Canary(refresh),
        "webhook's secret": Canary(endpoint["secret"].removeprefix("whsec_")),
        "webhook's next secret": Canary(rotated["secret"].removeprefix("whsec_")),
        "database password": Canary(state.secret("postgres-publisher")),
        "S3 secret key": Canary(state.secret("s3-ingest")),
        "NATS password": Canary(state.secret("nats-ingest")),
        "key encryption key": Canary(state.secret("kek", size_bytes=32)),
        "pepper of keys": Canary(state.secret("key-pepper", size_bytes=32)),
        "place in the photo": Canary(place, may=("sources",)),
        "alt text": Canary(alt_text, may=("postgres", "tables", "nats")),
        "file name": Canary(filename, may=("postgres", "tables", "nats")),
    }
    return canaries, photo["id"]


def test_canaries_are_where_they_belong_and_nowhere_else(stack: Stack, tenancy: Tenancy) -> None:
    canaries, media_id = planted(stack, tenancy)
    assert len({canary.text for canary in canaries.values()}) >= 12
    dump, objects = "\n".join(rows(stack)), dict(stored(stack, media_id))
    for name, canary in canaries.items():
        kept = (*KEPT, *(place for place in canary.may if place not in ("tables", "sources")))
        assert holding(stack.state.root, canary.text.encode(), kept) == [], name
        # A database is dumped too: its files may lag behind, and hold texts compressed.
        assert (canary.text in dump) is ("tables" in canary.may), name
        found = {key.partition("/")[0] for key, data in objects.items() if canary.text.encode() in data}
        assert found == ({"sources"} if "sources" in canary.may else set()), name


def rows(stack: Stack) -> Iterator[str]:
    """Every row of every table of all stages."""
    with psycopg.connect(stack.postgres.url()) as conn:
        for schema, table in conn.execute(OWN_TABLES).fetchall():
            query = sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(schema, table))
            yield from (row for (row,) in conn.execute(query).fetchall())


def stored(stack: Stack, media_id: str) -> Iterator[tuple[str, bytes]]:
    """Key and content of the item's objects, and of all in quarantine; what goes meanwhile is no matter of ours."""
    client = stack.s3.client()
    for bucket in (QUARANTINE, ACTIVE):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                if bucket == ACTIVE and media_id not in item["Key"]:
                    continue
                try:
                    yield item["Key"], client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                except client.exceptions.NoSuchKey:
                    continue


def holding(root: Path, text: bytes, kept: tuple[str, ...]) -> list[Path]:
    """Files of the whole installation that hold it, but for those below the places it may be kept in."""
    allowed = {root / place for place in kept}
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and not allowed & {path, *path.parents} and text in _read(path)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # a temporary file that has gone


def _connected(http: httpx.Client, platform: str, credentials: Mapping[str, str]) -> str:
    return str(body(http.post("/v1/accounts", json={"platform": platform, "credentials": credentials}))["id"])


def _answered_twice(http: httpx.Client, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """With an Idempotency-Key, so that the answer is kept; the second does not show what is secret."""
    headers = {"Idempotency-Key": word()}
    first, again = (body(http.post(path, json=wanted, headers=headers)) for _ in range(2))
    assert first["secret"]
    assert again["secret"] is None
    return first
