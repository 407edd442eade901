"""What the sandbox checks of a post, in the words that the contract tests hear from a real PDS."""

import pytest

from services.platforms.bluesky import cid, lexicon, schema
from services.platforms.ports import JSON
from tests.unit.platforms.bluesky.post_samples import BLOB, INVALID, POST, TAKEN, image, images


@pytest.mark.parametrize(("changes", "why"), INVALID, ids=[why[:40] for _, why in INVALID])
def test_what_no_post_may_have(changes: dict[str, JSON], why: str) -> None:
    with pytest.raises(lexicon.RecordInvalidError) as caught:
        lexicon.check_post({**POST, **changes})
    assert str(caught.value) == f"Invalid app.bsky.feed.post record: {why}"


@pytest.mark.parametrize("changes", TAKEN, ids=[str(it)[:40] for it in TAKEN])
def test_what_a_post_may_have(changes: dict[str, JSON]) -> None:
    read = lexicon.as_read_by_pds({**POST, **changes})
    assert isinstance(read, dict)
    lexicon.check_post(read)
    assert cid.of_record(read).startswith("bafyrei")


def test_every_blob_of_a_post_is_found() -> None:
    other: JSON = {**BLOB, "size": 7}
    record: dict[str, JSON] = {**POST, **images(image(), image(image=other))}
    assert list(lexicon.blobs(record)) == [BLOB, other]
    assert list(lexicon.blobs(dict(POST))) == []


@pytest.mark.parametrize("rkey", ["", "..", "a b", "self", "3m2aaaaaaaa2", 7, None])
def test_what_is_no_key(rkey: JSON) -> None:
    with pytest.raises(lexicon.RecordInvalidError):
        lexicon.check_key(rkey)


def test_a_tid_is_a_key() -> None:
    lexicon.check_key("3m2aaaaaaaa2a")


def test_whole_numbers_are_read_as_javascript_does() -> None:
    read = lexicon.as_read_by_pds({"a": 2.0, "b": [1.5, 3.0], "c": True})
    assert str(read) == "{'a': 2, 'b': [1.5, 3], 'c': True}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("ü\n", '"ü\\n"'),
        ("x" * 256, '"' + "x" * 255 + '…"'),
        ([1, "a", None], '[1, "a", ...]'),
        ({"a": 1, "b": 2}, '{"a": ..., "b": ...}'),
        ({"a": 1, "b": 2, "c": 3}, '{"a": ..., "b": ..., ...}'),
    ],
)
def test_values_as_messages_show_them(value: JSON, text: str) -> None:
    assert schema.shown(value) == text
