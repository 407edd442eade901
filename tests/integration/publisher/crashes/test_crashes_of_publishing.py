"""Whatever ends or is lost while a post is published, it is there once at most, and its target says so in time.

`make crashes` plays a thousand runs for each platform.
"""

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.platforms import registry
from tests.integration.publisher.conftest import Stage
from tests.integration.publisher.crashes import playground
from tests.integration.publisher.crashes.playground import Playground
from tests.integration.publisher.crashes.processes import Plan
from tests.integration.publisher.crashes.runs import Ending, Sample, planned

RUNS = int(os.environ.get("CRASHES", "6"))  # for each platform
AT_ONCE = 32
EACH_RUN_S = 60.0  # of real time, on the busiest machine
IN_TIME_S = 120.0  # for each fault: where a lost answer is waited for a minute, two of them take two
FACEBOOK_POSTS = ("facebook text", "facebook picture", "facebook pictures")
# Where a lost answer may leave a doubt: nothing of ours tells a second try from the first one. Of some platforms, only
# with some samples.
WITHOUT_HANDLE = frozenset({"linkedin", "pinterest", "x", "tiktok picture", "tiktok pictures", *FACEBOOK_POSTS})

log = logging.getLogger(__name__)


@pytest.mark.timeout(EACH_RUN_S * RUNS)
async def test_a_post_is_there_once_at_most_and_its_target_says_so(stage: Stage, tmp_path: Path) -> None:
    limit = asyncio.Semaphore(AT_ONCE)
    # A group: of runs left behind by one that broke off, transactions would stay open under the tests that follow.
    async with playground.opened(stage, tmp_path) as played, asyncio.TaskGroup() as group:
        checks = [group.create_task(_wrong(played, platform, limit)) for platform in registry.publishers()]
    wrong = [line for check in checks for line in check.result()]
    assert not wrong, "\n".join(wrong)


async def _wrong(played: Playground, platform: str, limit: asyncio.Semaphore) -> list[str]:
    """What went wrong in the platform's runs."""
    samples = played.samples(platform)
    if not samples:
        return [f"{platform} takes none of the posts known here"]

    async def one(seed: int, sample: Sample, plan: Plan) -> Ending:
        async with limit:
            return await played.run(platform, seed, sample, plan)

    async with asyncio.TaskGroup() as group:
        undisturbed = [group.create_task(one(-1, sample, Plan())) for sample in samples]
    clean = [run.result() for run in undisturbed]
    async with asyncio.TaskGroup() as group:
        disturbed = []
        for seed in range(RUNS):
            rng = random.Random(f"{platform} {seed}")  # noqa: S311  no secret: the same faults each time
            at = rng.randrange(len(samples))
            disturbed.append(group.create_task(one(seed, samples[at], planned(rng, clean[at].plan.taken))))
    ends = [run.result() for run in disturbed]
    there = await played.there(platform)
    _tell(platform, ends)
    found = [f"without any fault: {end}" for end in clean if not end.plan.met and end.status != "published"]
    found += [f"{problem}: {end}" for end in (*clean, *ends) if (problem := _problem(end, there[end.text]))]
    return (
        found
        if any(set(end.plan.met) & set(end.plan.faults) for end in ends)
        else [f"{platform}: no run met a fault", *found]
    )


def _problem(end: Ending, count: int) -> str:
    """What is wrong with how the run ended, where the platform has the post `count` times; "" if nothing is."""
    if count > 1:
        return "published twice"
    expected = {"published": {1}, "failed": {0}, "unconfirmed": {0, 1}}
    if count not in expected.get(end.status, set()):
        return "the target does not say what the platform shows"
    if end.status == "unconfirmed" and not WITHOUT_HANDLE & {end.platform, f"{end.platform} {end.sample}"}:
        return "in doubt on a platform that can tell"
    return "late" if end.waited_s > IN_TIME_S * max(1, len(end.plan.met)) else ""


def _tell(platform: str, ends: Sequence[Ending]) -> None:
    told, faults = Counter(end.status for end in ends), sum(len(end.plan.met) for end in ends)
    slowest_s = max(end.waited_s for end in ends)
    kinds = ", ".join(sorted({end.sample for end in ends}))
    log.warning("%s: %s (%s) after %d faults, slowest %.0f s", platform, dict(told), kinds, faults, slowest_s)
