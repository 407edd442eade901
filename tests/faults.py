"""How much of what goes wrong is played: a little in every run of the tests, more with `make faults`."""

import os

SCALE = int(os.environ.get("FAULT_SCALE", "1"))
