"""The command ``tuban``: parse arguments, make one call into a lower room, print the result."""

import os

# registration solves small linear systems, which several BLAS threads only slow down
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
