"""Seals credentials with the workspace's data key, made on first use."""

from collections.abc import Mapping
from typing import Protocol

from services.publisher.adapters import sealing
from services.publisher.adapters.sealing import Sealed, SealError
from services.publisher.ports import SealedBytes


class Keys(Protocol):
    """Where wrapped data keys are kept."""

    async def get(self, workspace_id: str, version: int | None) -> tuple[int, str, bytes] | None: ...

    async def add(self, workspace_id: str, version: int, kek_id: str, wrapped: bytes) -> None: ...


class Vault:
    """ports.Vault with AES-256-GCM."""

    def __init__(self, kek: bytes, keys: Keys) -> None:
        self._kek = kek
        self._keys = keys

    async def seal(self, workspace_id: str, account_id: str, credentials: Mapping[str, str]) -> Sealed:
        """Seals with the newest data key of the workspace."""
        version, dek = await self._newest(workspace_id)
        return sealing.seal_credentials(dek, version, workspace_id, account_id, credentials)

    async def open(self, workspace_id: str, account_id: str, sealed: SealedBytes) -> Mapping[str, str]:
        """Opens credentials sealed for this account. Raises SealError."""
        _, dek = await self._key(workspace_id, sealed.key_version)
        return sealing.open_credentials(dek, Sealed(sealed.key_version, sealed.blob), workspace_id, account_id)

    async def _newest(self, workspace_id: str) -> tuple[int, bytes]:
        if await self._keys.get(workspace_id, None) is None:
            wrapped = sealing.wrap(self._kek, sealing.new_dek(), workspace_id, 1)
            # Two workers may both get here: the first row stays, and both read it back.
            await self._keys.add(workspace_id, 1, sealing.kek_id(self._kek), wrapped)
        return await self._key(workspace_id, None)

    async def _key(self, workspace_id: str, version: int | None) -> tuple[int, bytes]:
        found = await self._keys.get(workspace_id, version)
        if found is None:
            raise SealError(f"the workspace has no data key of version {version}")
        found_version, kek_id, wrapped = found
        if kek_id != sealing.kek_id(self._kek):
            raise SealError(f"data key {found_version} was wrapped with another key-encryption key, {kek_id}")
        return found_version, sealing.unwrap(self._kek, wrapped, workspace_id, found_version)
