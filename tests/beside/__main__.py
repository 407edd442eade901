"""An earlier revision and this tree side by side, forth and back: `make beside REV=…`, or `python -m tests.beside REV`.

Two of each stage of that revision, on its own tables, serve clients. Then this tree's migrations run beside them, and
stage after stage is replaced: one of each pair, then the other, and in the same order back. All of it is on 127.0.0.1.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from deploy.local.ports import Ports
from deploy.local.postgres import Postgres
from deploy.local.processes import LocalError
from deploy.local.stack import Stack
from deploy.local.stages import OURS, STAGES, Stage, Tree
from deploy.local.state import State
from deploy.local.tenant import Tenant, migrate
from tests import media
from tests.beside.revision import commit_of, unpacked
from tests.beside.work import illustrated
from tests.e2e.busy import Seen, bluesky, busy
from tests.e2e.client import eventually

REPLICAS = 2
PAUSE_S = 0.5
# Of uploads and of posts, before the next step.
MORE = 10
MORE_WITHIN_S = 180.0


def main() -> int:
    """Exit status 1 when a request failed, or something promised did not come about."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryDirectory(prefix="lmp-beside-") as aside,
    ):
        try:
            commit = commit_of(sys.argv[1])
            say(f"{commit[:12]} beside this tree")
            seen = side_by_side(unpacked(commit, Path(aside)), State(Path(folder)))
        except (LocalError, AssertionError) as exc:
            say(f"FAILED: {exc}")
            return 1
    say(
        f"{sum(seen.answers.values())} requests answered, {len(seen.media)} uploads ready, "
        f"{len(seen.posts)} posts published once each; {time.monotonic() - started:.0f} s"
    )
    say(f"{len(seen.refused)} requests failed")
    return int(bool(seen.refused))


def side_by_side(earlier: Tree, state: State) -> Seen:
    """What clients saw while stages came and went."""

    def tables(_: State, postgres: Postgres) -> None:
        migrate(state, postgres, tree=earlier)
        Tenant(replace(stack.wiring, tree=earlier)).create_key()

    def stand(tree: Tree, stage: str, replica: int) -> str:
        one = Stage(stage, replace(stack.wiring, tree=tree), replica)
        stack.replace_daemon(one)
        return one.name

    stack = Stack(state, ports=Ports.free(), tell=say, replicas=REPLICAS, tables=tables)
    for replica in range(REPLICAS):
        for stage in STAGES:
            stand(earlier, stage, replica)
    steps = [
        ("one of each stage is this tree's", OURS, 1),
        ("all are this tree's", OURS, 0),
        ("one of each is back", earlier, 1),
        ("all are back", earlier, 0),
    ]
    with stack:
        account = bluesky(stack)
        works = [
            illustrated(account, media.jpeg(), "photo.jpg"),
            illustrated(account, media.film(), "film.mp4"),
        ]
        with busy(stack, works, pause_s=PAUSE_S) as seen:
            more(seen, "the earlier revision by itself")
            migrate(state, stack.postgres)
            more(seen, "on this tree's tables")
            for what, tree, replica in steps:
                for stage in STAGES:
                    stack.start_daemon(stand(tree, stage, replica))
                more(seen, what)
    return seen


def more(seen: Seen, what: str) -> None:
    """Waits until some more is done, and tells what was seen so far."""
    uploads, posts = len(seen.media) + MORE, len(seen.posts) + MORE
    eventually(lambda: len(seen.media) > uploads and len(seen.posts) > posts, within_s=MORE_WITHIN_S)
    say(f"{what}: {sum(seen.answers.values())} requests answered, {len(seen.refused)} failed")
    for one in seen.refused:
        say(f"  {one}")


def say(line: str) -> None:
    """One line of the report."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
