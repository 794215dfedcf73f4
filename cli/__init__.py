"""The command ``tuban``: arguments in, one call, words out."""

import os

# the small systems of equations of registration are solved faster by one thread than by many that wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
