"""docs/openapi.json, for readers without a running service.   python -m services.gateway.openapi.committed write

Clients are generated from it, and a review sees in its diff what a change of a proto means to them.
"""

import argparse
import json
import sys
from pathlib import Path

from services.gateway.openapi import document
from services.gateway.services import route_table

FILE = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"
PUBLIC_URL = "https://api.letmepost.dev"


def main() -> None:
    """Entry point; the exit code is 1 when the file is not what the protos say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("write", "check"))
    if parser.parse_args().command == "write":
        FILE.write_text(render(), encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != render():
        sys.exit(f"{FILE.name} is not what the protos say; run `make gen`")


def render() -> str:
    """The document as it is committed."""
    return json.dumps(document.build(route_table(), PUBLIC_URL), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
