"""A worker that knows the tests' own kinds of jobs: ``python -m tests.workers.own_worker --queues scan``."""

from __future__ import annotations

import sys

import workers.delivery  # and the two below: read once, before the fork, however many children are killed
from tests.workers import chaos_kinds, stop_kinds
from workers import kinds
from workers.worker import main

kinds.MODULES = (chaos_kinds.__name__, stop_kinds.__name__, workers.delivery.__name__)

if __name__ == "__main__":
    sys.exit(main())
