"""Signatures of webhooks, in two formats over one secret. Pure.

Source: the Standard Webhooks specification, "Webhook metadata" and "Signature scheme"; the second format is the
widespread `t=…,v1=…`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
SECRET_BYTES = 32  # the specification allows 24 to 64


def secret_text(secret: bytes) -> str:
    """As it is shown: "whsec_" and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """The key itself. ValueError if this is no secret of ours; it never quotes it."""
    encoded = text.removeprefix(PREFIX)
    try:
        return base64.b64decode(encoded if encoded != text else "?", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("not a webhook secret") from exc


def headers(secrets: Sequence[bytes], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Both header sets.

    Args:
        secrets: The newest first; all of them sign.
        event_id: Holds no ".".
        timestamp: Unix seconds, of this attempt.
    """
    standard = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    plain = b"%d.%s" % (timestamp, body)
    signatures = [base64.b64encode(_mac(secret, standard)).decode() for secret in secrets]
    digests = [_mac(secret, plain).hex() for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "x-letmepost-signature": ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests)]),
    }


def _mac(secret: bytes, text: bytes) -> bytes:
    return hmac.new(secret, text, hashlib.sha256).digest()
