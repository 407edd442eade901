"""An operation of the OpenAPI document as a command line."""

import json
from typing import Any

_FILE = "photo.jpg"


def command(url: str, path: str, method: str, node: dict[str, Any]) -> str:
    """A curl line that works once ids are filled in. `node` is the operation."""
    words = [f'curl "{url}{path}"'.replace("{", "$").replace("}", "")]
    if method not in ("get", "post"):
        words[0] = words[0].replace("curl", f"curl -X {method.upper()}", 1)
    words.append('-H "Authorization: Bearer $LMP_API_KEY"')
    content = node.get("requestBody", {}).get("content", {})
    if method == "post" and content:
        words.append('-H "Idempotency-Key: $(uuidgen)"')
    if "multipart/form-data" in content:
        words += [f"-F file=@{_FILE}", '-F altText="A lighthouse at dusk."']
    elif "application/json" in content:
        body = content["application/json"]
        told = json.dumps(body.get("example", {}), indent=2, ensure_ascii=False).replace("'", "'\\''")
        words += ['-H "Content-Type: application/json"', f"-d '{told}'"]
    if "*/*" in node["responses"].get("200", {}).get("content", {}):
        words.append("-O -J")
    return " \\\n  ".join(words)
