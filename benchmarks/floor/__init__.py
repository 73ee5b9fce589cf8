"""The floor: the raw driver, the best SQL that we found for the same guarantees, rows straight to plain objects.

The same tables, indexes and durability; idempotent by id; numbers without a gap in the order of commits. JSON is
encoded and decoded with the fastest library we know, times are parsed, objects are msgspec's structs, built by position
(half the time of a slotted dataclass, less than a dict). What else was tried stands beside each statement. What the
floor leaves out is what a port adds: it checks no argument, translates no error, knows no ORM, and looks after no other
connection.
"""

from __future__ import annotations

from benchmarks.floor.postgresql import PostgreSQLFloor
from benchmarks.floor.sqlite import SQLiteFloor

__all__ = ["PostgreSQLFloor", "SQLiteFloor", "floor_at"]


def floor_at(url: str, *, durable: bool) -> SQLiteFloor | PostgreSQLFloor:
    """Return the floor on a migrated database."""
    if url.startswith("sqlite"):
        return SQLiteFloor(url, durable=durable)
    return PostgreSQLFloor(url)
