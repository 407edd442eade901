"""What a share of a core is in the kernel's words, of either version."""

from pathlib import Path

import pytest

from bench.cpu_share import LEAST_US, PERIOD_US, Controller


@pytest.mark.parametrize(
    ("share", "quota_us", "period_us"),
    [
        pytest.param(1.5, 30_000, PERIOD_US, id="more than a core"),
        pytest.param(0.12, 2_400, PERIOD_US, id="some of one"),
        pytest.param(0.03, LEAST_US, 33_333, id="less than the kernel counts out in such a period"),
    ],
)
def test_a_share_is_a_part_of_a_period_that_the_kernel_takes(share: float, quota_us: int, period_us: int) -> None:
    first, second = Controller(Path("/"), 1).limit(share), Controller(Path("/"), 2).limit(share)

    assert first == {"cpu.cfs_period_us": f"{period_us}", "cpu.cfs_quota_us": f"{quota_us}"}
    assert second == {"cpu.max": f"{quota_us} {period_us}"}
