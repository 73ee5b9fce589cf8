"""Groups of runs: by columns, and by hours, days and months of a time zone."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.querying.accounting.periods import PERIODS, Periods

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUPS: Final = ("provider", "model", "agent_id", "user_id", "session_id")
"""The groups that are columns."""

_PRICED: Final = ("provider", "model")


class Keyed(Protocol):
    """A row of totals."""

    @property
    def key(self) -> tuple[Any, ...]:
        """The values of its columns, and with periods its bucket."""


T = TypeVar("T", bound=Keyed)


def check_group_by(value: object) -> tuple[str, ...]:
    """Return the names of groups, given as one name or an iterable.

    Raises:
        ValidationError: a group is unknown.
    """
    names: Any = (value,) if isinstance(value, str) else value
    known = (*GROUPS, *PERIODS)
    try:
        chosen = tuple(dict.fromkeys(names))
    except TypeError:
        chosen = (names,)
    for name in chosen:
        if not isinstance(name, str) or name not in known:
            message = f"Unknown group: {short_repr(name)}. Known groups: {', '.join(known)}."
            raise ValidationError(message)
    return chosen


class Grouping(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a backend's totals are gathered into the groups of a summary.

    Attributes:
        names: the groups that the caller asked for, in order.
        columns: the columns of a row's key.
        periods: the periods of the bucket that follows the columns, if any are among the groups.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    periods: Periods | None = None

    @classmethod
    def of(cls, names: tuple[str, ...], periods: Periods | None, *, priced: bool) -> Grouping:
        """Return the grouping by these names; `priced` rows have their provider and model in any case."""
        columns = tuple(name for name in names if name in GROUPS)
        if priced:
            columns = tuple(dict.fromkeys((*_PRICED, *columns)))
        return cls(names=names, columns=columns, periods=periods)

    def provider_and_model(self, key: tuple[Any, ...]) -> tuple[str | None, str | None]:
        """Return the provider and the model of a row with both columns."""
        return key[self.columns.index("provider")], key[self.columns.index("model")]

    def gather(self, totals: Iterable[T]) -> list[tuple[dict[str, Any], list[T]]]:
        """Return each group with its rows, in the order of the groups' values; None comes first."""
        groups: dict[tuple[str | None, ...], list[T]] = {}
        for total in totals:
            groups.setdefault(self._values(total.key), []).append(total)
        return [(dict(zip(self.names, group, strict=True)), groups[group]) for group in sorted(groups, key=self._place)]

    def _values(self, key: tuple[Any, ...]) -> tuple[str | None, ...]:
        found = dict(zip(self.columns, key, strict=False))
        if self.periods is not None:
            found |= self.periods.labels(key[-1])
        return tuple([found[name] for name in self.names])

    def _place(self, group: tuple[str | None, ...]) -> tuple[Any, ...]:
        # Independent of where a database sorts NULL. Two hours of a day may have one local name.
        return tuple(
            datetime.fromisoformat(value) if name == "hour" and value else value or ""
            for name, value in zip(self.names, group, strict=True)
        )
