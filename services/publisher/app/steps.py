"""What was prepared of a target, step by step. It is sealed at rest: some platforms' uploads are open to whoever knows
their address."""

from collections.abc import Mapping

from services.publisher.domain.post import JSON
from services.publisher.ports import Claim, Deliveries, SealedBytes, Vault


class Steps:
    """Opens and seals."""

    def __init__(self, deliveries: Deliveries, vault: Vault) -> None:
        self._deliveries = deliveries
        self._vault = vault

    async def opened(
        self, claim: Claim, plain: Mapping[str, Mapping[str, JSON]], sealed: Mapping[str, SealedBytes]
    ) -> Mapping[str, Mapping[str, JSON]]:
        """All steps of a target. One that is there in clear too was left by an older version, later."""
        return {**await self._vault.open_steps(claim, sealed), **plain} if sealed else plain

    async def save(self, claim: Claim, step: str, state: Mapping[str, JSON]) -> None:
        """Commits the state of this step. Raises LeaseLostError."""
        await self._deliveries.save_progress(claim, step, await self._vault.seal_step(claim, step, state))
