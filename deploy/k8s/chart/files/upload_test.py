"""What `helm test` does: URL names the edge; with KEY_FILE a picture is uploaded, and must become ready."""

import json
import os
import struct
import sys
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

WITHIN_S = 60


def picture() -> bytes:
    """A PNG of 64 × 64 pixels that no other has."""
    shade = os.urandom(3)
    rows = (b"\0" + shade * 64) * 64
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def asked(request: urllib.request.Request) -> tuple[int, dict[str, object]]:
    """Status and answer, of refusals too."""
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as exc:
        return exc.code, json.load(exc)


def main(url: str, key: str) -> str:
    """Why it does not work; "" when it does."""
    if not key:
        status, said = asked(urllib.request.Request(f"{url}/v1/media"))
        return "" if status == 401 else f"without a key: {status} {said}"
    bearer = {"Authorization": f"Bearer {key}"}
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="test.png"\r\n\r\n'
    headers = {**bearer, "Content-Type": "multipart/form-data; boundary=b"}
    status, media = asked(
        urllib.request.Request(f"{url}/v1/media", data=start + picture() + b"\r\n--b--\r\n", headers=headers)
    )
    ends = time.monotonic() + WITHIN_S
    while status in (200, 201, 202) and media["status"] not in ("ready", "rejected", "failed"):
        if time.monotonic() > ends:
            break
        time.sleep(1)
        status, media = asked(urllib.request.Request(f"{url}/v1/media/{media['id']}", headers=bearer))
    return "" if media.get("status") == "ready" else f"the picture: {status} {media}"


if __name__ == "__main__":
    found_key = Path(os.environ["KEY_FILE"]).read_text().strip() if "KEY_FILE" in os.environ else ""
    sys.exit(main(os.environ["URL"], found_key) or None)
