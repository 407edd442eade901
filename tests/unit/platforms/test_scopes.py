"""What a token must be given, and how platforms write what it was."""

import pytest

from services.platforms.ports import Fault, ScopeMissingError
from services.platforms.scopes import Needed, require

NEEDED: tuple[Needed, ...] = (("write:media", "write"), ("read",))


@pytest.mark.parametrize(
    "granted",
    ["read write", "read,write:media", "profile, read, write", ["read", "write"], " write\nread ", "", [], " , "],
)
def test_enough_or_nothing_told(granted: str | list[str]) -> None:
    require("Paper", granted, NEEDED)


@pytest.mark.parametrize(
    ("granted", "missing"),
    [("read", ("write:media",)), ("write", ("read",)), (["profile"], ("write:media", "read")), ("reader", None)],
)
def test_what_is_missing_is_named(granted: str | list[str], missing: tuple[str, ...] | None) -> None:
    with pytest.raises(ScopeMissingError) as caught:
        require("Paper", granted, NEEDED)
    assert caught.value.fault is Fault.ACCOUNT
    assert caught.value.scopes == (missing or ("write:media", "read"))
