"""Exit codes of all commands, in one place. Errors have theirs in :mod:`errors`."""

from __future__ import annotations

SUCCESS = 0
ATTENTION = 1
WRONG_ARGUMENTS = 2
SOME_FAILED = 3
NOT_COMPARABLE = 4
NOT_WRITTEN = 5
WEIGHTS = 6
CAMERA = 7
INTERRUPTED = 130

EXIT_CODES: dict[int, str] = {
    SUCCESS: "Success.",
    ATTENTION: "The command ran, and what it checked is not in order: a problem of the service, a damaged object, a "
    "broken log, a bundle that was altered. Also any error without a code of its own.",
    WRONG_ARGUMENTS: "Wrong arguments or settings, missing rights, or no database of this version.",
    SOME_FAILED: "An image cannot be used, or some of several items failed; the others are done.",
    NOT_COMPARABLE: "The images are valid but cannot be compared.",
    NOT_WRITTEN: "Results cannot be written, the disk is full, or the service cannot accept them now. Try again later.",
    WEIGHTS: "The weights cannot be used.",
    CAMERA: "The camera does not answer.",
    INTERRUPTED: "Interrupted by Ctrl-C.",
}
"""Exit code → meaning. Codes in the help of a command are among these and mean the same."""
