"""Lines of ``make bench``: each compares two figures of one run."""
