"""API keys: their text, and who may make which."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common import ids
from services.common.clock import utc_now
from services.common.errors import Code, MediaError
from services.gateway.domain import keys
from services.gateway.domain.keys import ApiKey, Mode

SECRETS = st.binary(min_size=keys.SECRET_BYTES, max_size=keys.SECRET_BYTES)
KNOWN = frozenset({"media:read", "media:write", "keys:write"})


def stored(*scopes: str, mode: Mode = Mode.LIVE) -> ApiKey:
    return ApiKey(ids.new("key"), "ws_1", "laptop", mode, scopes, b"", "abcd", utc_now())


@given(SECRETS, st.sampled_from(Mode))
def test_what_is_minted_is_recognised(secret: bytes, mode: Mode) -> None:
    key_id = ids.new("key")
    text = keys.mint(mode, key_id, secret)
    presented = keys.recognise(text)
    assert presented is not None
    assert (presented.key_id, presented.text) == (key_id, text)
    assert text.startswith(f"lmp_{mode}_")


@given(SECRETS, st.data())
def test_any_changed_character_is_noticed_without_a_table(secret: bytes, data: st.DataObject) -> None:
    text = keys.mint(Mode.TEST, ids.new("key"), secret)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(string.printable).filter(lambda char: char != text[at]))
    assert keys.recognise(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "lmp_test_", "Bearer x", "lmp_test_" + "0" * 75, "é" * 84, "\n"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert keys.recognise(text) is None


def test_a_secret_of_another_length_is_not_minted() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        keys.mint(Mode.LIVE, ids.new("key"), b"short")


def test_the_digest_depends_on_pepper_and_text() -> None:
    assert len({keys.digest("p", "a"), keys.digest("q", "a"), keys.digest("p", "b")}) == 3


def test_no_scopes_are_all_scopes() -> None:
    assert stored().may("media:write")
    assert stored("media:read").may("media:read")
    assert not stored("media:read").may("media:write")


def test_a_key_without_a_mode_gets_its_makers() -> None:
    assert keys.grantable(stored(mode=Mode.TEST), mode=None, scopes=(), known=KNOWN) is Mode.TEST
    assert keys.grantable(stored(), mode=Mode.TEST, scopes=(), known=KNOWN) is Mode.TEST


@pytest.mark.parametrize(
    ("maker", "mode", "scopes"),
    [
        (stored(mode=Mode.TEST), Mode.LIVE, ()),
        (stored("media:read"), None, ()),
        (stored("media:read"), None, ("media:write",)),
        (stored("media:read"), None, ("media:read", "media:write")),
    ],
)
def test_no_key_makes_one_that_may_do_more(maker: ApiKey, mode: Mode | None, scopes: tuple[str, ...]) -> None:
    with pytest.raises(MediaError) as caught:
        keys.grantable(maker, mode=mode, scopes=scopes, known=KNOWN)
    assert caught.value.code is Code.FORBIDDEN


def test_every_unknown_scope_is_named() -> None:
    with pytest.raises(MediaError) as caught:
        keys.grantable(stored(), mode=None, scopes=("media:read", "x", "y"), known=KNOWN)
    assert caught.value.code is Code.INVALID_REQUEST
    assert [row.field for row in caught.value.violations] == ["scopes[1]", "scopes[2]"]
