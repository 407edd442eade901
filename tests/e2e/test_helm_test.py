"""What `helm test` does in a cluster, done to the service that runs here."""

import subprocess
import sys

from deploy.local.stack import Stack
from tests.chart.rendered import release


def told(stack: Stack, key: str | None) -> tuple[int, str]:
    """Exit code and complaint of the test's own program, as the chart hands it to its pod."""
    [container] = release("full").named("Pod", "test")["spec"]["containers"]
    assert container["command"][:2] == ["python", "-c"]
    env = {"URL": stack.url}
    if key is not None:
        path = stack.state.write_secret("helm-test-key", key)
        env["KEY_FILE"] = str(path)
    done = subprocess.run(
        [sys.executable, *container["command"][1:]], env=env, capture_output=True, text=True, timeout=100, check=False
    )
    return done.returncode, done.stderr


def test_it_uploads_a_picture_that_becomes_ready(stack: Stack) -> None:
    assert told(stack, stack.api_key) == (0, "")


def test_without_a_key_it_sees_that_the_edge_answers(stack: Stack) -> None:
    assert told(stack, None) == (0, "")


def test_it_fails_where_the_key_is_none(stack: Stack) -> None:
    code, complaint = told(stack, "lmp_test_nobodys")
    assert (code, "401" in complaint) == (1, True)
