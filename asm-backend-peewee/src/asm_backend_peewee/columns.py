"""The fields of the models, on core's codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peewee import SQL, Field, ForeignKeyAccessor, ForeignKeyField, NodeList, Value

from asm_core.sql import Dialect, codec_of
from asm_core.sql.queries.tags import clause_parts, tag_clauses, tag_list
from asm_core.values.payloads import decode_json, encode_json
from asm_core.values.times import check_time

if TYPE_CHECKING:
    from datetime import datetime


class UtcTimeField(Field):
    """An aware time in UTC."""

    def __init__(self, dialect: Dialect, **options: Any) -> None:
        """Hold times as `dialect` does."""
        self.codec = codec_of(dialect)
        self.dialect = dialect
        self.field_type = "timestamptz" if dialect == Dialect.POSTGRESQL else "TEXT"  # type: ignore[misc]
        super().__init__(**options)

    def db_value(self, value: datetime | None) -> Any:
        """Return what the column holds, or is compared with."""
        return None if value is None else self.codec.encode_time(check_time(self.name, value))

    def python_value(self, value: Any) -> datetime | None:
        """Return the time that the column holds."""
        return None if value is None else self.codec.decode_time(value)


class JsonField(Field):
    """A payload."""

    type_on_postgresql = "json"

    def __init__(self, dialect: Dialect, **options: Any) -> None:
        """Hold payloads as `dialect` does."""
        self.dialect = dialect
        self.field_type = self.type_on_postgresql if dialect == Dialect.POSTGRESQL else "TEXT"  # type: ignore[misc]
        super().__init__(**options)

    def db_value(self, value: Any) -> str | None:
        """Return what the column holds."""
        return None if value is None else encode_json(value).decode()

    def python_value(self, value: Any) -> Any:
        """Return the payload that the column holds."""
        return decode_json(value) if isinstance(value, str) else value


class TagsField(JsonField):
    """Tags: JSON with an index where the database has one for it."""

    type_on_postgresql = "jsonb"

    def carries(self, *tags: str) -> Any:
        """Return the condition that a session has all of these tags."""
        wanted = list(dict.fromkeys(tags))
        clause = tag_clauses(self.dialect).carries_all
        nodes = {"tags": self, "wanted": Value(tag_list(wanted), converter=False), "count": SQL(str(len(wanted)))}
        parts = ((SQL(text), nodes.get(field or "")) for text, field in clause_parts(clause))
        return NodeList([node for part in parts for node in part if node is not None], glue="")


class _ReferenceAccessor(ForeignKeyAccessor):
    def get_rel_instance(self, instance: Any) -> Any:
        try:
            return super().get_rel_instance(instance)  # type: ignore[no-untyped-call]
        except self.rel_model.DoesNotExist:
            return None


class Reference(ForeignKeyField):
    """A relation over a column without a foreign key in the table; a missing row reads as None."""

    accessor_class = _ReferenceAccessor

    def __init__(self, model: Any, **options: Any) -> None:
        """Refer to `model`."""
        # Deferred, so that Peewee creates no constraint.
        super().__init__(model, _deferred=True, **options)
