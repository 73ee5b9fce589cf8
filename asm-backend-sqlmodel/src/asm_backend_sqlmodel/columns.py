"""How the row models show what columns hold."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import TIMESTAMP, Boolean, ColumnElement, Text, TypeDecorator, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType, UserDefinedType

from asm_core.payloads import decode_json, encode_json
from asm_core.sql import Dialect, TagClauses, codec_of, tag_clauses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table
    from sqlalchemy.engine import Dialect as EngineDialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: EngineDialect) -> TypeEngine[Any]:
        """Return the type of the column."""
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == Dialect.POSTGRESQL else Text())

    def process_bind_param(self, value: datetime | None, dialect: EngineDialect) -> Any:
        """Return what the column holds."""
        return None if value is None else codec_of(Dialect(dialect.name)).encode_time(value)

    def process_result_value(self, value: Any, dialect: EngineDialect) -> datetime | None:
        """Return the time that the column holds."""
        return None if value is None else codec_of(Dialect(dialect.name)).decode_time(value)


class JsonText(UserDefinedType[str]):
    """JSON as its text, on PostgreSQL."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, name: str = "json") -> None:
        """Take ``json``, which keeps the text to the letter, or ``jsonb``, which can be indexed."""
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


class carries_all(FunctionElement[bool]):  # noqa: N801  as functions are called
    """Whether the tags of a column hold all of a list: the column, the list, and how many tags that has."""

    inherit_cache = True
    type = Boolean()


@compiles(carries_all)
def _carries_all(element: carries_all, compiler: SQLCompiler, **options: Any) -> str:
    tags, wanted, count = (compiler.process(clause, **options) for clause in element.clauses)
    return _clauses(compiler).carries_all.format(tags=tags, wanted=wanted, count=count)


class carries_any(FunctionElement[bool]):  # noqa: N801  as functions are called
    """Whether the tags of a column hold any of a list."""

    inherit_cache = True
    type = Boolean()


@compiles(carries_any)
def _carries_any(element: carries_any, compiler: SQLCompiler, **options: Any) -> str:
    tags, wanted = (compiler.process(clause, **options) for clause in element.clauses)
    return _clauses(compiler).carries_any.format(tags=tags, wanted=wanted)


def _clauses(compiler: SQLCompiler) -> TagClauses:
    return tag_clauses(Dialect(compiler.dialect.name))


class among(FunctionElement[bool]):  # noqa: N801  as functions are called
    """Whether a column has one of several values, which are one parameter."""

    inherit_cache = True
    type = Boolean()


@compiles(among, "sqlite")
def _among_on_sqlite(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, several = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({several}))"  # noqa: S608  compiled clauses


@compiles(among, "postgresql")
def _among_on_postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, several = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY(CAST({several} AS text[]))"


class in_utc(FunctionElement[Any]):  # noqa: N801  as functions are called
    """A time as core's codec takes it, whatever the time zone of the connection."""

    inherit_cache = True
    type = NullType()


@compiles(in_utc, "sqlite")
def _in_utc_on_sqlite(element: in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(in_utc, "postgresql")
def _in_utc_on_postgresql(element: in_utc, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)} AT TIME ZONE 'UTC')"


def raw_columns(table: Table, names: Iterable[str]) -> list[ColumnElement[Any]]:
    """Return columns to select as the driver gives them, which is what core's codec takes."""
    return [_raw(table.c[name]) for name in names]


def _raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, UtcTime):
        return in_utc(column)
    return type_coerce(column, NullType()) if isinstance(column.type, Json) else column
