"""The column types of the row models."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import TIMESTAMP, Text, TypeDecorator
from sqlalchemy.types import UserDefinedType

from asm_core.sql import Dialect, codec_of
from asm_core.values.payloads import decode_json, encode_json
from asm_core.values.times import check_time

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect as EngineDialect
    from sqlalchemy.types import TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: EngineDialect) -> TypeEngine[Any]:
        """Return the type of the column."""
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == Dialect.POSTGRESQL else Text())

    def process_bind_param(self, value: datetime | None, dialect: EngineDialect) -> Any:
        """Return what the column holds, or is compared with."""
        return None if value is None else codec_of(Dialect(dialect.name)).encode_time(check_time("A time", value))

    def process_result_value(self, value: Any, dialect: EngineDialect) -> datetime | None:
        """Return the time that the column holds."""
        return None if value is None else codec_of(Dialect(dialect.name)).decode_time(value)


class JsonText(UserDefinedType[str]):
    """JSON as its text, on PostgreSQL."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, name: str = "json") -> None:
        """Use ``json``, which keeps the text unchanged, or ``jsonb``, which can be indexed."""
        self.name = name

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type."""
        return self.name.upper()


class Json(TypeDecorator[Any]):
    """A payload."""

    impl = Text
    cache_ok = True
    name = "json"

    def load_dialect_impl(self, dialect: EngineDialect) -> TypeEngine[Any]:
        """Return the type of the column."""
        return dialect.type_descriptor(JsonText(self.name) if dialect.name == Dialect.POSTGRESQL else Text())

    def process_bind_param(self, value: Any, dialect: EngineDialect) -> Any:  # noqa: ARG002  SQLAlchemy's signature
        """Return what the column holds."""
        return None if value is None else encode_json(value).decode()

    def process_result_value(self, value: Any, dialect: EngineDialect) -> Any:  # noqa: ARG002  SQLAlchemy's signature
        """Return the payload that the column holds."""
        return decode_json(value) if isinstance(value, str) else value


class Tags(Json):
    """Tags: JSON with an index where the database has one for it."""

    cache_ok = True
    name = "jsonb"
