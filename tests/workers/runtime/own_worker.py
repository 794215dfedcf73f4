"""A worker that knows the tests' own kinds of jobs: ``python -m tests.workers.runtime.own_worker --queues scan``."""

from __future__ import annotations

import sys

import workers.delivery.deliver  # and the two below: read once, before the fork, however many children are killed
from service import job_registry as kinds
from tests.workers import chaos_kinds, stop_kinds
from workers.runtime.worker import main

kinds.JOB_MODULES = (chaos_kinds.__name__, stop_kinds.__name__, workers.delivery.deliver.__name__)

if __name__ == "__main__":
    sys.exit(main())
