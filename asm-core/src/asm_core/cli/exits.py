"""The exit statuses of ``asm``, beside 0 and those of the command that `asm run` runs."""

from typing import Final

FAILED: Final = 1
"""Something went wrong, and the message on standard error says what."""
STORE_UNAVAILABLE: Final = 69
"""The store cannot be reached, or is busy for too long (EX_UNAVAILABLE of sysexits.h)."""
TIMED_OUT: Final = 124
"""`asm run` ended the command after its timeout, as timeout(1) says it."""
SIGNALLED: Final = 128
"""A signal ended it: this and the signal's number, as shells have it."""
INTERRUPTED: Final = SIGNALLED + 2
"""Ctrl-C (SIGINT)."""
NOBODY_READS: Final = 141
"""Who read the output has gone; as shells say it, 128 + SIGPIPE."""
