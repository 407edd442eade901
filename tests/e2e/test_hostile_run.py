"""A bounded part of `make hostile`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.e2e.tenants import Tenancy
from tests.hostile import campaign
from tests.hostile.attacker import Attacker


@pytest.fixture
def attackers(stack: Stack) -> Iterator[list[Attacker]]:
    """As many strangers as this machine has time for."""
    found = [Attacker(Tenancy(stack).client) for _ in range(4)]
    yield found
    for attacker in found:
        attacker.client.close()


@pytest.mark.timeout(180)
def test_hostile_uploads_get_documented_answers_and_leave_the_service_as_it_was(
    stack: Stack, attackers: list[Attacker], tmp_path: Path
) -> None:
    report = campaign.run(stack, attackers, count=60, warm_up=40, seed=7, keep=tmp_path)
    assert report.faults == [], report
    assert sum(report.answers.values()) == 60
    assert len(report.answers) >= 5, report.answers
    assert report.ends["ready"] > 0
