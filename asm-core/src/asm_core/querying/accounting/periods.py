"""Hours, days and months of a time zone.

A database has no time zones, or another version of them. So runs are added up in buckets of a fixed length in UTC, and
the buckets of a local period are gathered here. The length divides every offset of the zone and every change of it, so
that no bucket belongs to two periods: a day in UTC, an hour in Berlin, a quarter of an hour in Kathmandu.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

PERIODS: Final = ("hour", "day", "month")
EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)
"""The begin of bucket 0: the first time that a database holds."""

_HOUR: Final = 3_600
_DAY: Final = 86_400
_MOST_DAYS: Final = 366 * 100
"""Beyond, changes of the zone are not looked for, and buckets are seconds."""


def check_time_zone(value: object) -> ZoneInfo:
    """Return the IANA time zone of this name.

    Raises:
        ValidationError: it is unknown.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415  its import takes long, and most programs need no zone

    try:
        if isinstance(value, str):
            return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        pass
    message = (
        f"Unknown time zone: {short_repr(value)}. Use a name of the IANA database, such as Europe/Berlin; a "
        "system without that database needs the package tzdata."
    )
    raise ValidationError(message)


class Periods:
    """The periods of one time zone, for times in a range.

    Attributes:
        bucket: the seconds of a bucket.
    """

    def __init__(self, zone: ZoneInfo, names: tuple[str, ...], earliest: datetime, latest: datetime) -> None:
        """Choose the bucket for these periods."""
        self._zone = zone
        self._names = tuple(name for name in PERIODS if name in names)
        self.bucket = _bucket(zone, _HOUR if "hour" in names else _DAY, earliest, latest)
        self._labels = lru_cache(maxsize=4096)(self._labels_of)

    def labels(self, number: int) -> dict[str, str]:
        """Return the periods of a bucket, by name."""
        return self._labels(number)

    def _labels_of(self, number: int) -> dict[str, str]:
        start = _local(EPOCH + timedelta(seconds=number * self.bucket), self._zone)
        month = f"{start.year:04}-{start.month:02}"
        day = f"{month}-{start.day:02}"
        labels = {"hour": f"{day}T{start.hour:02}:00{start.isoformat()[19:]}", "day": day, "month": month}
        return {name: labels[name] for name in self._names}


def bucket_number(time: datetime, bucket: int) -> int:
    """Return the number of the bucket of a time."""
    return (time - EPOCH) // timedelta(seconds=bucket)


def _bucket(zone: ZoneInfo, longest: int, earliest: datetime, latest: datetime) -> int:
    if (latest - earliest).days > _MOST_DAYS:
        return 1
    return math.gcd(longest, *_offsets_and_changes(zone, earliest, latest))


def _offsets_and_changes(zone: ZoneInfo, earliest: datetime, latest: datetime) -> Iterator[int]:
    """Yield all offsets from UTC between two times, and all instants at which they change, in seconds."""
    first, last = _seconds(earliest) - _DAY, _seconds(latest) + _DAY
    offset = _offset(zone, first)
    yield offset
    for after in range(first + _DAY, last + _DAY, _DAY):
        if (later := _offset(zone, after)) != offset:
            yield later
            yield _change(zone, after - _DAY, after)
            offset = later


def _change(zone: ZoneInfo, before: int, after: int) -> int:
    """Return the first second with the offset of `after`."""
    offset = _offset(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (before, middle) if _offset(zone, middle) == offset else (middle, after)
    return after


def _seconds(time: datetime) -> int:
    return bucket_number(time, 1)


def _offset(zone: ZoneInfo, seconds: int) -> int:
    start, end = 0, _seconds(datetime.max.replace(tzinfo=UTC))
    offset = _local(EPOCH + timedelta(seconds=min(max(seconds, start), end)), zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _local(time: datetime, zone: ZoneInfo) -> datetime:
    try:
        return time.astimezone(zone)
    except OverflowError:  # within a day of the first or the last time that Python has
        return time
