"""Seals with the workspace's data key, made on first use."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.common.errors import Code, MediaError
from services.publisher.adapters import sealing
from services.publisher.adapters.sealing import MasterKeys, Sealed, SealError, WrappedKey
from services.publisher.domain.post import JSON
from services.publisher.ports import Claim, SealedBytes


class Keys(Protocol):
    """Where wrapped data keys are kept."""

    async def get(self, workspace_id: str, version: int | None) -> WrappedKey | None: ...

    async def add(self, key: WrappedKey) -> None: ...

    async def beside(self, kek_ids: Sequence[str]) -> Sequence[str]: ...


class Vault:
    """ports.Vault with AES-256-GCM."""

    def __init__(self, masters: MasterKeys, keys: Keys) -> None:
        self._masters = masters
        self._keys = keys

    async def seal(self, workspace_id: str, account_id: str, credentials: Mapping[str, str]) -> Sealed:
        """Seals with the newest data key of the workspace. Raises SealError."""
        version, dek = await self._newest(workspace_id)
        return sealing.seal_credentials(dek, version, workspace_id, account_id, credentials)

    async def open(self, workspace_id: str, account_id: str, sealed: SealedBytes) -> Mapping[str, str]:
        """Opens credentials sealed for this account. Raises SealError."""
        _, dek = await self._key(workspace_id, sealed.key_version)
        return sealing.open_credentials(dek, Sealed(sealed.key_version, sealed.blob), workspace_id, account_id)

    async def seal_step(self, claim: Claim, step: str, state: Mapping[str, JSON]) -> Sealed:
        """Seals with the newest data key of the workspace. Raises SealError."""
        version, dek = await self._newest(claim.workspace_id)
        return sealing.seal_step(dek, version, claim.workspace_id, _full_name(claim, step), state)

    async def open_steps(self, claim: Claim, steps: Mapping[str, SealedBytes]) -> Mapping[str, Mapping[str, JSON]]:
        """Opens what was sealed for this target. Raises SealError."""
        keys = {version: (await self._key(claim.workspace_id, version))[1] for version in _versions(steps)}
        return {
            step: sealing.open_step(
                keys[it.key_version], Sealed(it.key_version, it.blob), claim.workspace_id, _full_name(claim, step)
            )
            for step, it in steps.items()
        }

    async def ready(self) -> None:
        """Readiness. Raises: MediaError UNAVAILABLE, data keys are wrapped with a KEK that is not given."""
        if missing := await self._keys.beside(self._masters.held):
            why = f"data keys are wrapped with key-encryption keys that are not given: {', '.join(missing)}"
            raise MediaError(Code.UNAVAILABLE, why=why)

    async def _newest(self, workspace_id: str) -> tuple[int, bytes]:
        found = await self._keys.get(workspace_id, None)
        if found is not None:
            return found.version, self._masters.unwrap(found)
        # Two workers may both get here: the first row stays, and both read it back.
        await self._keys.add(self._masters.wrap(workspace_id, 1, sealing.new_dek()))
        return await self._key(workspace_id, None)

    async def _key(self, workspace_id: str, version: int | None) -> tuple[int, bytes]:
        found = await self._keys.get(workspace_id, version)
        if found is None:
            raise SealError(f"the workspace has no data key of version {version}")
        return found.version, self._masters.unwrap(found)


def _full_name(claim: Claim, step: str) -> str:
    return f"{claim.post_id}|{claim.index}|{step}"


def _versions(steps: Mapping[str, SealedBytes]) -> set[int]:
    return {it.key_version for it in steps.values()}
