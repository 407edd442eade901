"""What webhooks need from the world, in their own words.

Anything but a MediaError that a port raises is an infrastructure fault, to be tried again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.publisher.domain.post import JSON, PostStatus, TargetStatus
from services.publisher.domain.webhooks.delivery import Delivery, DeliveryStatus, Outcome
from services.publisher.domain.webhooks.endpoint import Endpoint
from services.publisher.domain.webhooks.events import News
from services.publisher.ports import Caller, Position, SealedBytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event of another stage that is being handled: its effect and the note of it are one transaction."""

    consumer: str
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is changed of an endpoint; None: left as it is."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | None = None
    disabled: bool | None = None


class Endpoints(Protocol):
    """Registered endpoints. Every look-up is of the caller's workspace and mode."""

    async def add(self, caller: Caller, endpoint: Endpoint, sealed: SealedBytes) -> bool:
        """Keeps an endpoint. False: the workspace has as many as it may."""

    async def get(self, caller: Caller, endpoint_id: str) -> Endpoint | None: ...

    async def page(self, caller: Caller, *, limit: int, after: Position | None) -> Sequence[Endpoint]:
        """Up to `limit` endpoints, newest first."""

    async def change(self, caller: Caller, endpoint_id: str, changes: Changes) -> Endpoint | None:
        """As it is afterwards. One that is disabled is owed nothing any more."""

    async def delete(self, caller: Caller, endpoint_id: str) -> bool:
        """With all its deliveries. False: there is none."""

    async def rotate(
        self, caller: Caller, endpoint_id: str, sealed: SealedBytes, old_until: datetime
    ) -> Endpoint | None:
        """Keeps a new secret, and the one before until then."""


class Deliveries(Protocol):
    """Deliveries as the caller sees them."""

    async def page(
        self,
        caller: Caller,
        endpoint_id: str,
        *,
        limit: int,
        after: Position | None,
        status: DeliveryStatus | None,
    ) -> Sequence[Delivery]:
        """Up to `limit` deliveries of one endpoint, newest first."""

    async def get(self, caller: Caller, delivery_id: str) -> Delivery | None: ...

    async def send(self, caller: Caller, endpoint_id: str, news: News) -> Delivery:
        """Makes an event for one endpoint alone, to be tried once."""

    async def replay(self, caller: Caller, endpoint_id: str, delivery_id: str, now: datetime) -> Delivery | None:
        """Makes it due, with the whole schedule before it."""


class Occasions(Protocol):
    """What endpoints are told of."""

    async def wanted(self, workspace_id: str) -> frozenset[str]:
        """Event types that some active endpoint of the workspace, of either mode, is to be told of."""

    async def tell(self, workspace_id: str, receipt: Receipt, news: Sequence[News]) -> int:
        """Makes the events and a delivery for each endpoint that wants one, and notes the receipt, in one transaction.

        How many deliveries; 0 also when the receipt was there before.
        """


class Resources(Protocol):
    """Media, posts and accounts as the public API shows them. Raises MediaError as their stages do."""

    async def media(self, media_id: str) -> Mapping[str, JSON] | None:
        """An item of the current caller's workspace; None: there is none, or no more."""

    async def post(self, workspace_id: str, post_id: str) -> "PostResource | None": ...

    async def account(self, workspace_id: str, account_id: str) -> "AccountResource | None": ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PostResource:
    """A post as the API shows it, and what its states are."""

    live: bool
    status: PostStatus
    targets: Collection[TargetStatus]
    json: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountResource:
    """An account as the API shows it."""

    live: bool
    json: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A claimed delivery with all that its attempt needs. epoch tells this claim from every other.

    traceparent is of what made the event; "" where nobody knows.
    """

    workspace_id: str
    delivery_id: str
    endpoint_id: str
    event_id: str
    epoch: int
    once: bool
    failures: int
    failing: bool
    url: str
    body: str
    traceparent: str
    sealed: SealedBytes
    old_sealed: SealedBytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much may be claimed.

    Attributes:
        parcels: In all.   failing: of endpoints that fail.
        per_endpoint, per_failing: Most that are under way to one endpoint, in all processes.
    """

    parcels: int
    failing: int
    per_endpoint: int
    per_failing: int


class Queue(Protocol):
    """Deliveries as the workers see them. Times are the caller's clock."""

    async def claim(self, room: Room, now: datetime, lease_s: float) -> Sequence[Parcel]:
        """What is due and nobody's, shared out fairly among endpoints, those that do not fail first."""

    async def delivered(self, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        """It was taken. Nothing is written when the claim is lost: who has it now tells how it ended."""

    async def failed(self, parcel: Parcel, outcome: Outcome, now: datetime, next_at: datetime | None) -> None:
        """It was not; next_at None: it is given up. Nothing is written when the claim is lost."""

    async def gone(self, parcel: Parcel, outcome: Outcome, now: datetime) -> None:
        """The endpoint wants no more: it is disabled. One that has another URL by now is tried there at once."""

    async def hand_back(self, parcel: Parcel, now: datetime) -> None:
        """Makes it due at once, as it is."""

    async def forget(self, before: datetime) -> int:
        """Drops some events, with their deliveries, made before that and settled; how many."""


class Sender(Protocol):
    """The way out."""

    async def refusal(self, url: str) -> str | None:
        """Why nothing would be sent to this URL, as the end of a sentence; None: it would."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, *, within_s: float) -> Outcome:
        """One attempt, within that many seconds. Redirects are answers; a body is of no interest."""


class Meter(Protocol):
    """What operators count."""

    def attempted(self, outcome: Outcome, elapsed_s: float) -> None: ...
