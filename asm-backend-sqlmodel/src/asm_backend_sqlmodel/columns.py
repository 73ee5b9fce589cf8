"""How the row models show what columns hold."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Text, TypeDecorator, type_coerce

from asm_core.payloads import decode_json, encode_json
from asm_core.sql import Dialect, codec_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table
    from sqlalchemy.engine import Dialect as EngineDialect


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: EngineDialect) -> Any:
        """Return what the column holds."""
        return None if value is None else codec_of(Dialect(dialect.name)).encode_time(value)

    def process_result_value(self, value: Any, dialect: EngineDialect) -> datetime | None:
        """Return the time that the column holds."""
        return None if value is None else codec_of(Dialect(dialect.name)).decode_time(value)


class Json(TypeDecorator[Any]):
    """A payload."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: EngineDialect) -> Any:  # noqa: ARG002  SQLAlchemy's signature
        """Return what the column holds."""
        return None if value is None else encode_json(value).decode()

    def process_result_value(self, value: Any, dialect: EngineDialect) -> Any:  # noqa: ARG002  SQLAlchemy's signature
        """Return the payload that the column holds."""
        return None if value is None else decode_json(value)


def raw_columns(table: Table, names: Iterable[str]) -> list[ColumnElement[Any]]:
    """Return columns to select as the driver gives them, which is what core's codec takes."""
    return [
        type_coerce(column, Text()) if isinstance(column.type, UtcTime | Json) else column
        for column in (table.c[name] for name in names)
    ]
