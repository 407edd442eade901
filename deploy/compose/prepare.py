"""Makes up what docker-compose.yml's containers need before they start: secrets, configurations, owners of volumes.

Each part's files go to a volume of its own under /parts; secrets are made once, and kept in the volume `secrets`.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

PARTS = Path("/parts")
HOLDERS = {"ingest": "ingest", "scanner": "scanner", "transcoder": "transcoder", "buckets": "admin"}
WITH_TABLES = ("gateway", "ingest", "transcoder", "publisher")
ON_NATS = ("ingest", "transcoder", "publisher", "operator")
# Volumes that belong to whoever runs in the container.
OWNERS = {"scratch": 10001, "state": 10001, "nats-data": 10001, "s3-data": 10001, "signatures": 100}
PLAIN = (
    '{name: envoy.transport_sockets.raw_buffer, typed_config: {"@type":'
    " type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}"
)
ENVOY = {
    "ENVOY_ADMIN_HOST": "127.0.0.1",
    "ENVOY_ADMIN_PORT": "9901",
    "ENVOY_LISTEN_HOST": "0.0.0.0",  # noqa: S104  of its container; compose publishes it on loopback
    "ENVOY_LISTEN_PORT": "8080",
    "ENVOY_STATUS_PORT": "8081",
    "LISTENER_TRANSPORT": PLAIN,
    "TRUSTED_HOPS": "0",
    "GATEWAY_ENDPOINTS": "[{endpoint: {address: {socket_address: {address: gateway, port_value: 8000}}}}]",
    "S3_HOST": "s3",
    "S3_PORT": "8333",
    "S3_AUTHORITY": "s3:8333",
    "S3_TRANSPORT": PLAIN,
    "S3_BUCKET": "media-active",
    "S3_REGION": "us-east-1",
}
CLAMD = {
    "CLAMD_LISTEN": "TCPSocket 3310\nTCPAddr 0.0.0.0",
    "CLAMD_DATABASE_DIR": "/signatures",
    "CLAMD_TMP_DIR": "/tmp",  # noqa: S108  of its container
}
FRESHCLAM = "DatabaseDirectory /signatures\nDatabaseMirror database.clamav.net\nForeground yes\nChecks 12\n"

Files = dict[str, dict[str, str]]


def new_secrets(rights: Mapping[str, Any], kept: Mapping[str, str]) -> dict[str, str]:
    """One secret for each user of each store, and the two keys; those there are stay."""
    names = ["postgres_admin", "nats_admin", "kek", "key_pepper"]
    names += [f"postgres_{stage}" for stage in WITH_TABLES]
    names += [f"{store}_{user}" for store, users in rights.items() for user in users]
    return {name: kept.get(name) or secrets.token_hex(32) for name in names}


def files(secret: Mapping[str, str], rights: Mapping[str, Any], templates: Mapping[str, str]) -> Files:
    """By part: its files.

    Args:
        templates: nats.conf, envoy.yaml and clamd.conf, with the names they ask for.
    """
    found: Files = {
        "postgres": {"password": secret["postgres_admin"]},
        "migrate": {"database_url": _database("postgres", secret["postgres_admin"])},
        "gateway": {"key_pepper": secret["key_pepper"]},
        "publisher": {"kek": secret["kek"]},
        "envoy": {
            "envoy.yaml": Template(templates["envoy.yaml"]).substitute(ENVOY),
            "credentials": f"[default]\naws_access_key_id = cdn\naws_secret_access_key = {secret['s3_cdn']}\n",
        },
        "clamd": {"clamd.conf": Template(templates["clamd.conf"]).safe_substitute(CLAMD), "freshclam.conf": FRESHCLAM},
    }
    for stage in WITH_TABLES:
        found["migrate"][f"{stage}_password"] = secret[f"postgres_{stage}"]
        _of(found, stage)["database_url"] = _database(f"mediaapi_{stage}", secret[f"postgres_{stage}"])
    for user in ON_NATS:
        _of(found, user)["nats_url"] = f"nats://{user}:{secret[f'nats_{user}']}@nats:4222"
    for part, identity in HOLDERS.items():
        _of(found, part).update(s3_access_key=identity, s3_secret_key=secret[f"s3_{identity}"])
    users: list[dict[str, Any]] = [{"user": "admin", "password": secret["nats_admin"]}]
    users += [
        {"user": name, "password": secret[f"nats_{name}"], "permissions": allowed}
        for name, allowed in rights["nats"].items()
    ]
    found["nats"] = {"nats.conf": templates["nats.conf"].replace("${USERS}", json.dumps(users))}
    identities = [
        {"name": name, "credentials": [{"accessKey": name, "secretKey": secret[f"s3_{name}"]}], "actions": actions}
        for name, actions in rights["s3"].items()
    ]
    found["s3"] = {"identities.json": json.dumps({"identities": identities})}
    return found


def _of(found: Files, part: str) -> dict[str, str]:
    return found.setdefault(part, {})


def _database(user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@postgres:5432/mediaapi"


def write(found: Files, out: Path) -> None:
    """Readable to whoever runs in the one container that has the volume, and changed by nobody there."""
    for part, texts in found.items():
        folder = out / part
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for name, text in texts.items():
            path = folder / name
            path.write_text(text)
            path.chmod(0o444)


def main(sources: Path, out: Path, owners: Iterable[tuple[str, int]]) -> None:
    """Safe to repeat."""
    rights = json.loads((sources / "rights.json").read_text())
    store = out / "secrets" / "secrets.json"
    secret = new_secrets(rights, json.loads(store.read_text()) if store.exists() else {})
    store.parent.mkdir(parents=True, exist_ok=True)
    store.touch(mode=0o600)
    store.write_text(json.dumps(secret))
    templates = {name: (sources / name).read_text() for name in ("nats.conf", "envoy.yaml", "clamd.conf")}
    write(files(secret, rights, templates), out)
    for volume, user in owners:
        os.chown(out / volume, user, user)


if __name__ == "__main__":
    main(Path("/sources"), PARTS, OWNERS.items())
