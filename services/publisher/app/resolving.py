"""Which account every target of a request means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import Code, MediaError, Violation
from services.publisher.domain.account import Account, AccountFilter, AccountStatus
from services.publisher.domain.request import TargetInput
from services.publisher.ports import Accounts, Caller

MANY = 2  # accounts of one platform: enough to know that it is not one


@dataclass(frozen=True, slots=True)
class Resolved:
    """The account of each target, None where there is a problem. refusal: the first id the caller does not have."""

    accounts: Sequence[Account | None]
    problems: Sequence[Violation]
    refusal: MediaError | None


class Resolver:
    """Turns account ids and platform names into accounts of the caller's."""

    def __init__(self, accounts: Accounts, platforms: frozenset[str], aliases: Mapping[str, str]) -> None:
        self._accounts = accounts
        self._platforms = platforms
        self._aliases = aliases

    def platform(self, name: str) -> str:
        """The platform's own id for any of its names."""
        return self._aliases.get(name, name)

    async def resolve(self, caller: Caller, targets: Sequence[TargetInput]) -> Resolved:
        """Every target's account, and every problem."""
        accounts: list[Account | None] = []
        problems: list[Violation] = []
        refusal: MediaError | None = None
        for n, target in enumerate(targets):
            found: Account | Violation
            try:
                found = await self._one(caller, f"targets[{n}]", target)
            except MediaError as exc:
                if exc.code is not Code.ACCOUNT_NOT_FOUND:
                    raise
                refusal = refusal or exc
                found = Violation(f"targets[{n}].accountId", exc.message)
            accounts.append(found if isinstance(found, Account) else None)
            if isinstance(found, Violation):
                problems.append(found)
        return Resolved(accounts, problems, refusal)

    async def _one(self, caller: Caller, path: str, target: TargetInput) -> Account | Violation:
        if not target.platform and not target.account_id:
            return Violation(path, "needs a platform, an accountId, or both")
        platform = self.platform(target.platform)
        if platform and platform not in self._platforms:
            return Violation(f"{path}.platform", f"is {platform}, which is not supported: {_list(self._platforms)} are")
        found = await self._account(caller, path, platform, target.account_id)
        if isinstance(found, Violation):
            return found
        if platform and found.platform != platform:
            return Violation(f"{path}.platform", f"is {platform}; account {found.account_id} is of {found.platform}")
        if found.status is AccountStatus.INVALID:
            return Violation(f"{path}.accountId", "is refused by its platform: connect the account again")
        return found

    async def _account(self, caller: Caller, path: str, platform: str, account_id: str) -> Account | Violation:
        if account_id:
            found = await self._accounts.get(caller, account_id)
            if found is None:
                raise MediaError(Code.ACCOUNT_NOT_FOUND, account_id=account_id)
            return found
        connected = await self._accounts.page(caller, limit=MANY, after=None, only=AccountFilter(platform))
        if len(connected) == 1:
            return connected[0]
        if connected:
            return Violation(f"{path}.accountId", f"is needed: more than one account of {platform} is connected")
        return Violation(f"{path}.platform", f"is {platform}, of which no account is connected")


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
