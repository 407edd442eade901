"""Use cases: who is calling, and the keys of a workspace."""

from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from services.common.errors import Code, MediaError, Violation
from services.gateway.domain import keys
from services.gateway.domain.keys import ApiKey, Grant, Mode
from services.gateway.ports import Keys

# A revoked key works at most this long on a gateway that has just seen it.
REMEMBER_S = 2.0
MAX_REMEMBERED = 10_000
_USE_NOTED_EVERY = timedelta(minutes=1)


class Authentication:
    """Tells whose key a request carries."""

    def __init__(
        self, table: Keys, *, pepper: str, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._table = table
        self._pepper = pepper
        self._now = now
        self._monotonic = monotonic
        self._recent: OrderedDict[str, tuple[float, Grant]] = OrderedDict()

    async def authenticate(self, text: str) -> Grant:
        """The key with this text.

        Raises:
            MediaError: UNAUTHORIZED, for every reason the same; WORKSPACE_SUSPENDED, to whoever has a key of it.
        """
        presented = keys.recognise(text)
        if presented is None:
            raise MediaError(Code.UNAUTHORIZED)
        digest = keys.digest(self._pepper, presented.text)
        grant = self._remembered(presented.key_id) or await self._load(presented.key_id)
        if grant is None or not compare_digest(grant.key.digest, digest):
            raise MediaError(Code.UNAUTHORIZED)
        if grant.suspended:
            raise MediaError(Code.WORKSPACE_SUSPENDED)
        return grant

    def forget(self, key_id: str) -> None:
        """Stop trusting what was remembered of a key."""
        self._recent.pop(key_id, None)

    def _remembered(self, key_id: str) -> Grant | None:
        entry = self._recent.get(key_id)
        if entry is None or self._monotonic() - entry[0] > REMEMBER_S:
            return None
        return entry[1]

    async def _load(self, key_id: str) -> Grant | None:
        self._recent.pop(key_id, None)
        grant = await self._table.find(key_id)
        if grant is None:
            return None
        self._recent[key_id] = (self._monotonic(), grant)
        if len(self._recent) > MAX_REMEMBERED:
            self._recent.popitem(last=False)
        now = self._now()
        used = grant.key.last_used_at
        if used is None or now - used > _USE_NOTED_EVERY:
            await self._table.touch(grant.key.workspace_id, key_id, at=now)
        return grant


@dataclass(frozen=True, slots=True)
class Page:
    """Some keys, newest first; `next_before` continues after them."""

    keys: list[ApiKey]
    next_before: str | None


class KeyRing:
    """The keys of a workspace, as one of them may manage them: a test key sees and makes test keys only."""

    def __init__(
        self,
        table: Keys,
        authentication: Authentication,
        *,
        pepper: str,
        known_scopes: AbstractSet[str],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        new_secret: Callable[[], bytes],
    ) -> None:
        self._table = table
        self._authentication = authentication
        self._pepper = pepper
        self._known_scopes = known_scopes
        self._now = now
        self._new_id = new_id
        self._new_secret = new_secret

    async def create(
        self, workspace_id: str, creator_id: str, *, name: str, mode: Mode | None, scopes: tuple[str, ...]
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can ever show again.

        Raises:
            MediaError: INVALID_REQUEST, or FORBIDDEN where it could do more than its creator.
        """
        if not name or len(name) > keys.MAX_NAME_CHARACTERS:
            violation = Violation("name", f"must have 1 to {keys.MAX_NAME_CHARACTERS} characters")
            raise MediaError(Code.INVALID_REQUEST, violations=[violation], field="name")
        creator = await self._table.find(creator_id)
        if creator is None or creator.key.workspace_id != workspace_id:
            raise MediaError(Code.UNAUTHORIZED)
        granted = keys.grantable(creator.key, mode=mode, scopes=scopes, known=self._known_scopes)
        return await self.issue(workspace_id, name=name, mode=granted, scopes=scopes)

    async def issue(
        self, workspace_id: str, *, name: str, mode: Mode, scopes: tuple[str, ...] = ()
    ) -> tuple[ApiKey, str]:
        """A new key nobody had to ask for: the operator's way in."""
        key_id = self._new_id()
        text = keys.mint(mode, key_id, self._new_secret())
        key = ApiKey(
            key_id=key_id,
            workspace_id=workspace_id,
            name=name,
            mode=mode,
            scopes=tuple(dict.fromkeys(scopes)),
            digest=keys.digest(self._pepper, text),
            hint=text[-4:],
            created_at=self._now(),
        )
        await self._table.add(key)
        return key, text

    async def list(self, workspace_id: str, *, live: bool, limit: int, before: str | None) -> Page:
        """The workspace's keys, newest first."""
        found = await self._table.page(workspace_id, limit=limit + 1, before=before, mode=_visible(live))
        return Page(found[:limit], found[limit - 1].key_id if len(found) > limit else None)

    async def revoke(self, workspace_id: str, key_id: str, *, live: bool) -> None:
        """End a key at once here, and within two seconds on other gateways. Raises: MediaError KEY_NOT_FOUND."""
        if not await self._table.revoke(workspace_id, key_id, mode=_visible(live), at=self._now()):
            raise MediaError(Code.KEY_NOT_FOUND, key_id=key_id)
        self._authentication.forget(key_id)


def _visible(live: bool) -> Mode | None:
    return None if live else Mode.TEST
