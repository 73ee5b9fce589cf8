"""The options of a database that the backend opens itself."""

from __future__ import annotations

from dataclasses import dataclass

from asm_core import ValidationError

_SYNCHRONOUS = ("full", "normal")
_LONGEST_WAIT = (1 << 31) // 1000
"""SQLite counts milliseconds, in 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteOptions:
    """How to open a SQLite file.

    Attributes:
        busy_timeout: how many seconds a call waits for another writer before it fails with a retryable error.
        synchronous: ``full`` keeps what was acknowledged even when the power fails; ``normal`` may then lose the last
            commits, is several times as fast, and keeps everything when only the process dies.
        wal_autocheckpoint: after how many pages of the write-ahead log they are copied into the file.
        readers: how many connections read at the same time.
    """

    busy_timeout: float = 30.0
    synchronous: str = "full"
    wal_autocheckpoint: int = 1000
    readers: int = 8

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ValidationError: one has a value that makes no sense.
        """
        timeout = self.busy_timeout
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= _LONGEST_WAIT:
            message = f"busy_timeout must be a number of seconds from 0 to {_LONGEST_WAIT}, not {timeout!r}."
            raise ValidationError(message)
        if self.synchronous not in _SYNCHRONOUS:
            message = f"synchronous must be one of {', '.join(_SYNCHRONOUS)}, not {self.synchronous!r}."
            raise ValidationError(message)
        for name, value in (("wal_autocheckpoint", self.wal_autocheckpoint), ("readers", self.readers)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 1 << 31:
                message = f"{name} must be an integer of at least 1, not {value!r}."
                raise ValidationError(message)
