"""Another key-encryption key takes the place of an older one, a few data keys at a time, while everything goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.publisher.adapters.sealing import MasterKeys, WrappedKey

BATCH = 100


class Keys(Protocol):
    """Where wrapped data keys are kept."""

    async def others(self, kek_id: str, *, after: tuple[str, int], limit: int) -> Sequence[WrappedKey]: ...

    async def replace(self, old: WrappedKey, new: WrappedKey) -> bool: ...

    async def uses(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Use:
    """One KEK: whether this process holds it, and how many data keys are wrapped with it."""

    kek_id: str
    held: bool
    data_keys: int


class Rotation:
    """Every step is a transaction of its own: what ends in the middle goes on where it was, and several may run."""

    def __init__(self, masters: MasterKeys, keys: Keys) -> None:
        self._masters = masters
        self._keys = keys

    async def uses(self) -> Sequence[Use]:
        """Every KEK held or in use, the newest first."""
        found = await self._keys.uses()
        names = dict.fromkeys([*self._masters.held, *sorted(found)])
        return [Use(name, name in self._masters.held, found.get(name, 0)) for name in names]

    async def run(self, batch: int = BATCH) -> int:
        """Wraps every data key with the newest KEK; how many were wrapped anew. Those whose KEK is missing stay."""
        after, done = ("", 0), 0
        while found := await self._keys.others(self._masters.newest, after=after, limit=batch):
            for key in found:
                if key.kek_id in self._masters.held:
                    dek = self._masters.unwrap(key)
                    done += await self._keys.replace(key, self._masters.wrap(key.workspace_id, key.version, dek))
            after = (found[-1].workspace_id, found[-1].version)
        return done
