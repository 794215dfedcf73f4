"""One module for each group of addresses; each has a ``router`` and is found by :mod:`web.app`."""
