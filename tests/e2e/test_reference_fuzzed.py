"""The API reference as Schemathesis reads it: whatever it allows or forbids is asked of the whole service.

Statuses, types, headers and bodies must be those described, nothing may be a fault of ours, what breaks a schema must
be refused, and what was deleted must be gone. Bounded and always the same here; `make fuzz-api` asks more, by chance.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.e2e.tenants import Tenancy

PROGRAM = Path(sys.executable).parent / "schemathesis"
CONFIG = Path(__file__).parents[1] / "fuzz" / "schemathesis.toml"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "")
BOUND = ("--max-examples", EXAMPLES) if EXAMPLES else ("--max-examples", "5", "--generation-deterministic")
# It would find and delete the key it calls with.
DELETES_KEYS = "deleteApiKey"


@pytest.mark.parametrize(
    "which",
    [
        pytest.param(("--exclude-operation-id", DELETES_KEYS), id="P14-all-but-keys"),
        pytest.param(("--include-operation-id", DELETES_KEYS), id="P14-keys"),
    ],
)
def test_any_request_gets_an_answer_as_described(
    stack: Stack, tenancy: Tenancy, tmp_path: Path, which: tuple[str, str]
) -> None:
    assert tenancy.targets  # Accounts, for posts to name.
    reference = f"{stack.url}/openapi.json"
    done = subprocess.run(
        [PROGRAM, "--config-file", CONFIG, "run", reference, "--url", stack.url, "--no-color", *BOUND, *which],
        env=os.environ | {"LMP_API_KEY": tenancy.client.http.headers["authorization"].removeprefix("Bearer ")},
        cwd=tmp_path,  # It leaves a cache.
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
