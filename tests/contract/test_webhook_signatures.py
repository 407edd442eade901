"""R3: what we sign is verified by the npm library too. (For the one of PyPI see tests/unit/publisher.)"""

import base64
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.publisher.domain.webhooks import signing

VERIFIER = Path(__file__).with_name("verify_webhooks.mjs")
SECRET, OLD, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
BODY = '{"id":"evt_1","data":{"filename":"Grüße 😀"}}'.encode()


@dataclass(frozen=True)
class Message:
    """A webhook, and the secret it is verified with."""

    secret: bytes = SECRET
    signers: tuple[bytes, ...] = (SECRET,)
    late_s: int = 0
    body: bytes = BODY
    changed: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, object]:
        headers = signing.headers(self.signers, "evt_1", int(time.time()) - self.late_s, BODY) | self.changed
        body = base64.b64encode(self.body).decode()
        return {"secret": signing.secret_text(self.secret), "headers": headers, "body": body}


def verified(messages: Sequence[Message]) -> list[bool]:
    text = json.dumps([message.json() for message in messages])
    done = subprocess.run(["node", str(VERIFIER)], input=text, capture_output=True, text=True, check=True, timeout=60)
    found: list[bool] = json.loads(done.stdout)
    return found


def test_r3_good_messages_pass() -> None:
    rotated = (SECRET, OLD)
    good = [
        Message(),
        Message(late_s=290),
        Message(late_s=-290),
        Message(signers=rotated),
        Message(signers=rotated, secret=OLD),
    ]
    assert verified(good) == [True] * len(good)


def test_r3_stale_forged_and_changed_ones_fail() -> None:
    flips = [replace(Message(), body=flipped(BODY, bit)) for bit in range(len(BODY) * 8)]
    signature = base64.b64decode(Message().json()["headers"]["webhook-signature"].removeprefix("v1,"))  # type: ignore[index]
    forged = [
        Message(changed={"webhook-signature": "v1," + base64.b64encode(flipped(signature, bit)).decode()})
        for bit in range(256)
    ]
    bad = [
        Message(late_s=302),
        Message(late_s=-302),
        Message(secret=OTHER),
        Message(signers=(OLD, SECRET), secret=OTHER),
        Message(changed={"webhook-id": "evt_2"}),
        Message(changed={"webhook-timestamp": str(int(time.time()) + 7)}),
        *flips,
        *forged,
    ]
    assert verified(bad) == [False] * len(bad)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
