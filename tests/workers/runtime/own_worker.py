"""Worker with the job kinds of the tests: ``python -m tests.workers.runtime.own_worker --queues scan``."""

from __future__ import annotations

import sys

import workers.delivery.deliver  # imported once before the fork, like the two below, however many children are killed
from service import job_registry
from tests.workers.runtime import chaos_kinds, stop_kinds
from workers.runtime.worker import main

job_registry.JOB_MODULES = (chaos_kinds.__name__, stop_kinds.__name__, workers.delivery.deliver.__name__)

if __name__ == "__main__":
    sys.exit(main())
