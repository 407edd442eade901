"""Envelope encryption of account credentials, and of what was prepared of a post: AES-256-GCM twice.

A data key (DEK) per workspace seals; a key-encryption key (KEK), which lives outside the database, wraps
the DEK. What a ciphertext belongs to is authenticated with it, so a row copied over another one does not open. Several
KEKs may be held at once, so that one can follow another while everything goes on.
"""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.publisher.domain.post import JSON

KEY_BYTES = 32
NONCE_BYTES = 12  # 96 bits, random; NIST SP 800-38D §8.2.2


class SealError(Exception):
    """A ciphertext is damaged, was sealed with another key, or belongs to another row."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A JSON object at rest. key_version names the workspace's DEK."""

    key_version: int
    blob: bytes


def parse_kek(text: str) -> bytes:
    """The 32 bytes of a key given in hex or base64 (either alphabet). ValueError otherwise, which never quotes it."""
    compact = text.strip()
    try:
        key = bytes.fromhex(compact) if len(compact) == 2 * KEY_BYTES else _from_base64(compact)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("the key-encryption key must be 32 bytes in hex or base64")
    return key


def parse_keks(text: str) -> tuple[bytes, ...]:
    """Keys, one a line. ValueError where there is none, one is malformed, or one is there twice."""
    keys = tuple(parse_kek(line) for line in text.splitlines() if line.strip())
    if not keys or len(set(keys)) < len(keys):
        raise ValueError("there must be one or more keys, each once")
    return keys


def kek_id(kek: bytes) -> str:
    """A name for a KEK that says nothing about it."""
    return hashlib.sha256(b"kek-id|" + kek).hexdigest()[:16]


def new_dek() -> bytes:
    """A fresh data key."""
    return os.urandom(KEY_BYTES)


def wrap(kek: bytes, dek: bytes, workspace_id: str, version: int) -> bytes:
    """The DEK sealed by the KEK for one workspace and version."""
    return _seal(kek, dek, f"{workspace_id}|dek|{version}")


def unwrap(kek: bytes, wrapped: bytes, workspace_id: str, version: int) -> bytes:
    """The DEK again. Raises SealError."""
    return _open(kek, wrapped, f"{workspace_id}|dek|{version}")


def seal_credentials(
    dek: bytes, key_version: int, workspace_id: str, account_id: str, credentials: Mapping[str, str]
) -> Sealed:
    """Credentials sealed for one account."""
    return _seal_json(dek, key_version, _aad(workspace_id, account_id, "credentials", key_version), credentials)


def open_credentials(dek: bytes, sealed: Sealed, workspace_id: str, account_id: str) -> dict[str, str]:
    """The credentials of one account. Raises SealError."""
    found = _open_json(dek, sealed, _aad(workspace_id, account_id, "credentials", sealed.key_version))
    return {str(name): str(value) for name, value in found.items()}


def seal_step(dek: bytes, key_version: int, workspace_id: str, step: str, state: Mapping[str, JSON]) -> Sealed:
    """What was prepared, sealed for one step of one target, whose full name is `step`."""
    return _seal_json(dek, key_version, _aad(workspace_id, step, "progress", key_version), state)


def open_step(dek: bytes, sealed: Sealed, workspace_id: str, step: str) -> Mapping[str, JSON]:
    """What was prepared in one step. Raises SealError."""
    return _open_json(dek, sealed, _aad(workspace_id, step, "progress", sealed.key_version))


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A workspace's data key as it is kept."""

    workspace_id: str
    version: int
    kek_id: str
    wrapped: bytes


class MasterKeys:
    """The KEKs of this process: the first one wraps, every one opens.

    Args:
        keks: 32 bytes each, at least one.
    """

    def __init__(self, keks: Sequence[bytes]) -> None:
        self._keks = {kek_id(kek): kek for kek in keks}
        self.newest = kek_id(keks[0])

    @property
    def held(self) -> Sequence[str]:
        """Their names, the newest first."""
        return list(self._keks)

    def wrap(self, workspace_id: str, version: int, dek: bytes) -> WrappedKey:
        """The data key under the newest KEK."""
        return WrappedKey(workspace_id, version, self.newest, wrap(self._keks[self.newest], dek, workspace_id, version))

    def unwrap(self, key: WrappedKey) -> bytes:
        """The data key. Raises SealError."""
        kek = self._keks.get(key.kek_id)
        if kek is None:
            raise SealError(
                f"data key {key.version} of {key.workspace_id} is wrapped with key-encryption key {key.kek_id}, which"
                " is not among those given"
            )
        return unwrap(kek, key.wrapped, key.workspace_id, key.version)


def _aad(workspace_id: str, owner: str, what: str, key_version: int) -> str:
    return f"{workspace_id}|{owner}|{what}|{key_version}"


def _seal_json(dek: bytes, key_version: int, aad: str, value: Mapping[str, object]) -> Sealed:
    return Sealed(key_version, _seal(dek, json.dumps(dict(value), separators=(",", ":")).encode(), aad))


def _open_json(dek: bytes, sealed: Sealed, aad: str) -> dict[str, JSON]:
    return cast("dict[str, JSON]", json.loads(_open(dek, sealed.blob, aad)))


def _seal(key: bytes, plain: bytes, aad: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, aad.encode())


def _open(key: bytes, blob: bytes, aad: str) -> bytes:
    try:
        return AESGCM(key).decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], aad.encode())
    except (InvalidTag, ValueError) as exc:
        raise SealError("the seal does not open") from exc


def _from_base64(text: str) -> bytes:
    padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
    return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
