"""The long run: `make hostile`, or `python -m tests.hostile COUNT [SEED]`, on a stack of its own."""

import sys
import tempfile
from pathlib import Path

from deploy.local.ports import Ports
from deploy.local.stack import Stack
from deploy.local.state import State
from tests.e2e.tenants import Tenancy
from tests.hostile import campaign
from tests.hostile.attacker import Attacker

AT_ONCE = 4


def main() -> int:
    """Exit status 1 when anything was wrong."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    kept = Path(tempfile.mkdtemp(prefix="hostile-"))
    with (
        tempfile.TemporaryDirectory(prefix="lmp-", ignore_cleanup_errors=True) as folder,
        Stack(State(Path(folder)), ports=Ports.free(), tell=print) as stack,
    ):
        attackers = [Attacker(Tenancy(stack).client) for _ in range(AT_ONCE)]
        report = campaign.run(stack, attackers, count=count, warm_up=max(count // 4, 50), seed=seed, keep=kept)
        for attacker in attackers:
            attacker.client.close()
    for title, lines in (("answers", report.answers.most_common()), ("ends", report.ends.most_common())):
        print(title, *(f"  {number:5} {what}" for what, number in lines), sep="\n")  # noqa: T201
    grown = ", ".join(f"{name} {kib / 1024:+.1f}" for name, kib in report.growth_kib.items())
    print(f"{report.elapsed_s:.0f} s; grown by MiB: {grown}")  # noqa: T201
    print(f"{len(report.faults)} faults", *report.faults, sep="\n")  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
