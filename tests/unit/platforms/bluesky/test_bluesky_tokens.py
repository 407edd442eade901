"""Tokens of the sandbox's PDS."""

import pytest

from services.platforms.bluesky import tokens

KEY = bytes(range(32))
TOKEN = tokens.issue(KEY, kind="at+jwt", claims={"sub": "did:plc:a", "exp": 1_000})


def test_a_token_is_read_with_its_key() -> None:
    assert tokens.read(KEY, TOKEN, kind="at+jwt", now=999) == {"sub": "did:plc:a", "exp": 1_000}


def test_a_token_ends() -> None:
    with pytest.raises(tokens.TokenExpiredError):
        tokens.read(KEY, TOKEN, kind="at+jwt", now=1_000)


@pytest.mark.parametrize(
    ("key", "token", "kind"),
    [
        (bytes(32), TOKEN, "at+jwt"),
        (KEY, TOKEN, "refresh+jwt"),
        (KEY, TOKEN[:-2], "at+jwt"),
        (KEY, "x" + TOKEN, "at+jwt"),
        (KEY, "", "at+jwt"),
        (KEY, "ü.ü.ü", "at+jwt"),
        (KEY, tokens.issue(KEY, kind="at+jwt", claims={"sub": "did:plc:a"}), "at+jwt"),
        (KEY, tokens.issue(KEY, kind="at+jwt", claims={"exp": "soon"}), "at+jwt"),
    ],
    ids=["key", "kind", "cut", "changed", "empty", "letters", "endless", "end"],
)
def test_what_is_no_token(key: bytes, token: str, kind: str) -> None:
    with pytest.raises(tokens.TokenInvalidError):
        tokens.read(key, token, kind=kind, now=0)
