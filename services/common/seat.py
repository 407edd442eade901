"""Room for one piece of work, kept while it is claimed in the transaction that makes it."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Seat(Generic[T]):
    """taken: what the room was used for, in the end."""

    def __init__(self) -> None:
        self.taken: T | None = None

    def take(self, claimed: T) -> None:
        """Once the claim is committed."""
        self.taken = claimed
