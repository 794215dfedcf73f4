"""A worker that knows the tests' own kinds of jobs: ``python -m tests.workers.own_worker --queues scan``."""

from __future__ import annotations

import sys

from workers import kinds
from workers.worker import main

kinds.MODULES = ("tests.workers.chaos_kinds", "tests.workers.stop_kinds", "workers.delivery")

if __name__ == "__main__":
    sys.exit(main())
