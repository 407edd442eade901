"""Credentials at rest open only where they were put."""

import base64
import os

import pytest

from services.publisher.adapters import sealing
from services.publisher.adapters.sealing import MasterKeys, Sealed, SealError

KEK = os.urandom(32)
DEK = os.urandom(32)
SECRETS = {"accessToken": "canary-7f3a", "refreshToken": "canary-91bc"}


def sealed() -> Sealed:
    return sealing.seal_credentials(DEK, 1, "ws_a", "acc_1", SECRETS)


def test_credentials_come_back_as_they_were() -> None:
    assert sealing.open_credentials(DEK, sealed(), "ws_a", "acc_1") == SECRETS


def test_the_same_credentials_never_seal_to_the_same_bytes() -> None:
    assert sealed().blob != sealed().blob


def test_nothing_of_a_secret_is_readable_in_what_is_stored() -> None:
    assert b"canary" not in sealed().blob


@pytest.mark.parametrize(
    ("workspace_id", "account_id", "key_version"),
    [("ws_b", "acc_1", 1), ("ws_a", "acc_2", 1), ("ws_a", "acc_1", 2)],
    ids=["another workspace", "another account", "another key version"],
)
def test_a_ciphertext_moved_to_another_row_does_not_open(workspace_id: str, account_id: str, key_version: int) -> None:
    moved = Sealed(key_version, sealed().blob)
    with pytest.raises(SealError):
        sealing.open_credentials(DEK, moved, workspace_id, account_id)


def test_a_step_opens_under_its_own_name_and_as_nothing_else() -> None:
    step = sealing.seal_step(DEK, 1, "ws_a", "pst_1|0|upload", {"session": "canary-44d0", "sent": 3})
    assert b"canary" not in step.blob
    assert sealing.open_step(DEK, step, "ws_a", "pst_1|0|upload") == {"session": "canary-44d0", "sent": 3}
    for workspace_id, name in (("ws_b", "pst_1|0|upload"), ("ws_a", "pst_1|1|upload"), ("ws_a", "pst_1|0|other")):
        with pytest.raises(SealError):
            sealing.open_step(DEK, step, workspace_id, name)
    with pytest.raises(SealError):
        sealing.open_credentials(DEK, step, "ws_a", "pst_1|0|upload")


@pytest.mark.parametrize("position", [0, 11, 12, 20, -1])
def test_one_flipped_bit_breaks_the_seal(position: int) -> None:
    blob = bytearray(sealed().blob)
    blob[position] ^= 1
    with pytest.raises(SealError):
        sealing.open_credentials(DEK, Sealed(1, bytes(blob)), "ws_a", "acc_1")


def test_a_cut_or_empty_ciphertext_breaks_the_seal() -> None:
    for blob in (b"", b"short", sealed().blob[:12], sealed().blob[:-1]):
        with pytest.raises(SealError):
            sealing.open_credentials(DEK, Sealed(1, blob), "ws_a", "acc_1")


def test_a_wrapped_key_opens_for_its_workspace_version_and_kek_only() -> None:
    wrapped = sealing.wrap(KEK, DEK, "ws_a", 1)
    assert sealing.unwrap(KEK, wrapped, "ws_a", 1) == DEK
    for kek, workspace_id, version in ((KEK, "ws_b", 1), (KEK, "ws_a", 2), (os.urandom(32), "ws_a", 1)):
        with pytest.raises(SealError):
            sealing.unwrap(kek, wrapped, workspace_id, version)


def test_a_kek_is_read_from_hex_and_both_base64_alphabets() -> None:
    key = b"\xfb\xff" * 16
    for text in (key.hex(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode().rstrip("=") + "\n"):
        assert sealing.parse_kek(text) == key


@pytest.mark.parametrize("text", ["", "short", "zz" * 32, "a" * 63, base64.b64encode(b"x" * 31).decode(), "é" * 32])
def test_a_bad_kek_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        sealing.parse_kek(text)
    assert not text or text not in str(caught.value)


def test_a_kek_id_tells_keys_apart() -> None:
    assert sealing.kek_id(KEK) == sealing.kek_id(KEK) != sealing.kek_id(DEK)


def test_keys_are_read_a_line_each() -> None:
    assert sealing.parse_keks(f"{KEK.hex()}\n\n  {DEK.hex()}\n") == (KEK, DEK)


@pytest.mark.parametrize("text", ["", "\n", f"{KEK.hex()}\n{KEK.hex()}", f"{KEK.hex()}\nshort"])
def test_no_key_or_one_given_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        sealing.parse_keks(text)
    assert KEK.hex() not in str(caught.value)


def test_the_first_key_wraps_and_every_one_opens() -> None:
    before, after = MasterKeys([KEK, DEK]), MasterKeys([DEK, KEK])
    wrapped = before.wrap("ws_a", 1, b"d" * 32)
    assert (wrapped.kek_id, before.newest) == (sealing.kek_id(KEK), sealing.kek_id(KEK))
    assert after.unwrap(wrapped) == b"d" * 32
    assert after.wrap("ws_a", 1, b"d" * 32).kek_id == sealing.kek_id(DEK)
    with pytest.raises(SealError, match=sealing.kek_id(KEK)):
        MasterKeys([DEK]).unwrap(wrapped)
