"""Exit statuses of ``asm``, other than 0 and those of the command that `asm run` runs."""

from typing import Final

FAILED: Final = 1
"""An error; standard error has the message."""
STORE_UNAVAILABLE: Final = 69
"""The store cannot be reached, or was busy for too long (EX_UNAVAILABLE of sysexits.h)."""
TIMED_OUT: Final = 124
"""`asm run` ended the command after its timeout; the status of timeout(1)."""
SIGNALLED: Final = 128
"""Added to the number of the signal that ended the command, as shells do."""
INTERRUPTED: Final = SIGNALLED + 2
"""Ctrl-C (SIGINT)."""
NOBODY_READS: Final = 141
"""The reader closed the output: 128 + SIGPIPE, as in shells."""
