"""The JSON port's configuration and descriptors, as they are committed.   python -m deploy.json_port write | check"""

import argparse
import sys

from deploy.json_port.config import render
from deploy.json_port.descriptors import descriptor_set, served
from deploy.local.state import REPOSITORY
from services.gateway.services import PUBLIC, route_table

FOLDER = REPOSITORY / "deploy" / "k8s" / "envoy"


def main() -> None:
    """Entry point; the exit code is 1 when a file is not what the protos say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("write", "check"))
    write = parser.parse_args().command == "write"
    stale = []
    for name, content in files().items():
        path = FOLDER / name
        if write:
            path.write_bytes(content)
        elif not path.exists() or path.read_bytes() != content:
            stale.append(name)
    if stale:
        sys.exit(f"{', '.join(stale)}: not what the protos say; run `make gen`")


def files() -> dict[str, bytes]:
    """What there should be, by name."""
    routes = served(route_table().routes)
    stages = {service.full_name: stage for stage, service in PUBLIC.items()}
    return {
        "json_port.yaml": render(routes, stages).encode(),
        "json_port.binpb": descriptor_set(routes).SerializeToString(deterministic=True),
    }


if __name__ == "__main__":
    main()
