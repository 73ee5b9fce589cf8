"""Attributes with converters that Pony does not have: times, payloads, names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from pony.orm import Json, Optional, Required
from pony.orm.dbapiprovider import DatetimeConverter, JsonConverter
from pony.orm.dbproviders.sqlite import SQLiteDatetimeConverter
from pony.orm.ormtypes import TrackedValue

from asm_core.sql import Dialect, codec_of
from asm_core.values.payloads import decode_json, encode_json
from asm_core.values.times import check_time

_SQLITE = codec_of(Dialect.SQLITE)


class UtcTimeConverter(DatetimeConverter):  # type: ignore[misc]  # Pony has no types
    """An aware time in UTC, on PostgreSQL."""

    def validate(self, val: Any, obj: Any = None) -> datetime:  # noqa: ARG002  Pony's signature
        """Return the time in UTC."""
        return check_time(str(self.attr), val)

    def sql2py(self, val: Any) -> datetime:
        """Return the time that the driver returned in the connection's time zone."""
        utc: datetime = val.astimezone(UTC)
        return utc


class UtcTextConverter(UtcTimeConverter):
    """An aware time in UTC, on SQLite: text of fixed width."""

    def py2sql(self, val: datetime) -> Any:
        """Return what the column holds."""
        return _SQLITE.encode_time(val)

    def sql2py(self, val: Any) -> datetime:
        """Return the time that the column holds."""
        return _SQLITE.decode_time(val)


class AwareTimes(SQLiteDatetimeConverter):  # type: ignore[misc]  # Pony has no types
    """A time in a query on SQLite: an aware one as the columns of the entities hold it, another one as Pony does."""

    def py2sql(self, val: datetime) -> Any:
        """Return what a column is compared with."""
        return super().py2sql(val) if val.tzinfo is None else _SQLITE.encode_time(val.astimezone(UTC))

    def sql2py(self, val: str) -> Any:
        """Return the time that a query selects, such as the latest of several."""
        return _SQLITE.decode_time(val) if val.endswith("Z") else super().sql2py(val)


class PayloadConverter(JsonConverter):  # type: ignore[misc]  # Pony has no types
    """A payload as unchanged JSON text; Pony would sort the keys."""

    optimistic = False  # PostgreSQL cannot compare json

    def val2dbval(self, val: Any, obj: Any = None) -> str:  # noqa: ARG002  Pony's signature
        """Return what the column holds."""
        return encode_json(plain(val)).decode()

    def dbval2val(self, dbval: Any, obj: Any = None) -> Any:
        """Return the payload that the column holds; its changes are those of `obj`."""
        value = decode_json(dbval) if isinstance(dbval, str) else dbval
        return value if obj is None else TrackedValue.make(obj, self.attr, value)


class _Converted:
    """An attribute with its own converter."""

    converters: list[Any]
    entity: Any
    on_sqlite: ClassVar[type]
    on_postgresql: ClassVar[type]

    def get_columns(self) -> Any:
        """Set the converter with the columns, like Pony."""
        columns = super().get_columns()  # type: ignore[misc]  # Pony's
        provider = self.entity._database_.provider
        kind = self.on_sqlite if provider.dialect == "SQLite" else self.on_postgresql
        if type(self.converters[0]) is not kind:
            self.converters = [kind(provider, self.py_type, self)]  # type: ignore[attr-defined]  # Pony's
        return columns


class _Time(_Converted):
    on_sqlite = UtcTextConverter
    on_postgresql = UtcTimeConverter


class _Payload(_Converted):
    on_sqlite = on_postgresql = PayloadConverter


class _RequiredTime(_Time, Required):  # type: ignore[misc]  # Pony has no types
    pass


class _OptionalTime(_Time, Optional):  # type: ignore[misc]  # Pony has no types
    pass


class _RequiredPayload(_Payload, Required):  # type: ignore[misc]  # Pony has no types
    pass


class _OptionalPayload(_Payload, Optional):  # type: ignore[misc]  # Pony has no types
    pass


def time(*, null: bool = False) -> Any:
    """Return an attribute that is an aware time in UTC."""
    return _OptionalTime(datetime, nullable=True) if null else _RequiredTime(datetime)


def payload(*, null: bool = False) -> Any:
    """Return an attribute that is a payload."""
    return _OptionalPayload(Json, nullable=True) if null else _RequiredPayload(Json)


def text(*, null: bool = False, **options: Any) -> Any:
    """Return an attribute that is text, with surrounding blanks."""
    return Optional(str, nullable=True, autostrip=False) if null else Required(str, autostrip=False, **options)


def integer(*, null: bool = False) -> Any:
    """Return an attribute that is an integer of 64 bits."""
    return Optional(int, size=64) if null else Required(int, size=64)


def plain(value: Any) -> Any:
    """Return a value without Pony's bookkeeping of changes."""
    return value.get_untracked() if isinstance(value, TrackedValue) else value


def use_aware_times(provider: Any) -> None:
    """Let a database on SQLite compare the columns with aware times."""
    provider.converter_classes = [
        (kind, AwareTimes if kind is datetime else converter) for kind, converter in provider.converter_classes
    ]
