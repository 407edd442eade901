"""R3: what we sign is verified by the library receivers use, and nothing else is."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.publisher.domain.webhooks import signing

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))
EVENT_ID = "evt_01KAXJ7N4Q6S8V0X2Z4B6D8F0G"
BODY = '{"id":"evt_1","type":"media.ready","data":{"filename":"Grüße 😀"}}'.encode()


@dataclass
class Message:
    """A webhook as it is received."""

    secrets: tuple[bytes, ...] = (SECRET,)
    late_s: int = 0
    body: bytes = BODY
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = signing.headers(self.secrets, EVENT_ID, int(time.time()) - self.late_s, self.body)

    def verify(self, secret: bytes = SECRET) -> None:
        Webhook(signing.secret_text(secret)).verify(self.body, self.headers)


def passes(message: Message, secret: bytes = SECRET) -> bool:
    try:
        message.verify(secret)
    except (WebhookVerificationError, UnicodeDecodeError, ValueError):
        return False
    return True


@given(st.binary(min_size=24, max_size=64), st.text())
def test_r3_what_is_signed_is_verified(secret: bytes, text: str) -> None:
    body = text.encode(errors="replace")
    headers = signing.headers([secret], EVENT_ID, int(time.time()), body)
    Webhook(signing.secret_text(secret)).verify(body, headers, json_parse=False)


@pytest.mark.parametrize(("late_s", "good"), [(0, True), (295, True), (-295, True), (301, False), (-305, False)])
def test_r3_a_message_is_good_for_five_minutes(late_s: int, good: bool) -> None:
    assert passes(Message(late_s=late_s)) is good


def test_r3_another_secret_does_not_verify() -> None:
    assert not passes(Message(), OTHER)


def test_r3_any_flipped_bit_of_the_body_is_noticed() -> None:
    message = Message()
    for bit in range(len(BODY) * 8):
        message.body = flipped(BODY, bit)
        assert not passes(message), bit


def test_r3_any_flipped_bit_of_the_signature_is_noticed() -> None:
    message = Message()
    signature = base64.b64decode(message.headers["webhook-signature"].removeprefix("v1,"))
    for bit in range(len(signature) * 8):
        message.headers["webhook-signature"] = "v1," + base64.b64encode(flipped(signature, bit)).decode()
        assert not passes(message), bit


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_r3_another_id_or_time_is_noticed(name: str) -> None:
    message = Message()
    value = message.headers[name]
    for index in range(len(value)):
        message.headers[name] = value[:index] + chr(ord(value[index]) ^ 1) + value[index + 1 :]
        assert not passes(message), message.headers[name]


def test_r3_id_and_time_cannot_be_shifted_into_each_other() -> None:
    message = Message()
    assert "." not in message.headers["webhook-id"]
    assert "." not in message.headers["webhook-timestamp"]


def test_r3_while_a_secret_is_rotated_both_verify() -> None:
    message = Message(secrets=(OTHER, SECRET))
    assert passes(message, OTHER)
    assert passes(message, SECRET)
    assert not passes(message, bytes(32))


def test_the_other_header_is_what_its_description_says() -> None:
    headers = Message(secrets=(OTHER, SECRET)).headers
    parts = [part.split("=", 1) for part in headers["x-letmepost-signature"].split(",")]
    [timestamp] = [value for name, value in parts if name == "t"]
    expected = [
        hmac.new(secret, f"{timestamp}.".encode() + BODY, hashlib.sha256).hexdigest() for secret in (OTHER, SECRET)
    ]
    assert [value for name, value in parts if name == "v1"] == expected
    assert timestamp == headers["webhook-timestamp"]


def test_a_secret_is_read_as_it_was_shown() -> None:
    assert signing.secret_bytes(signing.secret_text(SECRET)) == SECRET
    assert 24 <= signing.SECRET_BYTES <= 64


@pytest.mark.parametrize("text", ["", "whsec_?", "whsec", base64.b64encode(SECRET).decode()])
def test_what_is_no_secret_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not a webhook secret") as caught:
        signing.secret_bytes(text)
    assert not text or text not in str(caught.value)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
