"""Leases: until when an execution counts as alive, for processes that cannot check it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.models.session import STAMP_KEY
from asm_core.recording.lifecycle.process_identity import is_gone, is_here
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from asm_core.models import Run, Session

LEASE_KEY: Final = "asm_lease"
"""The metadata key of a run for the end of its lease, as text of ISO 8601."""

SHARE: Final = 1 / 3
"""The share of a lease after which it is renewed."""

_SKEW: Final = timedelta(seconds=5)
"""How much the clocks of two machines may differ."""


def leased(run: Run, seconds: float) -> Run:
    """Return the run with a lease from now."""
    end = utc_now() + timedelta(seconds=seconds)
    return msgspec.structs.replace(run, metadata={**run.metadata, LEASE_KEY: end.isoformat()})


def is_lost(recorded: Run | Session) -> bool:
    """Return whether the process that executes a run, or records a session, has ended; False if that is uncertain.

    A process of this machine is checked. Any other one has ended once the lease has.
    """
    stamp = recorded.metadata.get(STAMP_KEY)
    return is_gone(stamp) or (stamp is not None and not is_here(stamp) and _has_ended(recorded.metadata.get(LEASE_KEY)))


def _has_ended(lease: object) -> bool:
    try:
        return isinstance(lease, str) and datetime.fromisoformat(lease) + _SKEW < utc_now()
    except (ValueError, TypeError):
        return False  # not by this project
