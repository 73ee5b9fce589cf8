"""Records as types of Pydantic: web frameworks validate them, return them and document their fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.errors import AsmError, ValidationError, short_repr
from asm_core.values.payloads import decode_json, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

_FIELD: Final = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
"""A field in the section *Attributes* of a docstring."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose fields Pydantic documents. Pydantic is needed only where it asks for them."""

    @classmethod
    def rebuilt(cls, source: Any, fields: Any) -> Any:
        """Rebuild a record of the type `source`, which may have type arguments, from its JSON-shaped fields.

        Raises:
            ValidationError: a field is missing or has an invalid value.
        """
        if not isinstance(fields, Mapping):
            message = f"{cls.__name__} takes a dict of its fields, not {short_repr(fields)}."
            raise ValidationError(message)
        try:
            return msgspec.convert(dict(fields), type=source, dec_hook=decode_field)
        except (msgspec.ValidationError, RecursionError) as error:
            message = f"Invalid {cls.__name__.lower()}: {error}."
            raise ValidationError(message) from None

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return the schema of the fields: invalid ones are refused with this project's errors."""
        from pydantic_core import core_schema  # noqa: PLC0415  not a dependency

        about = _descriptions(cls)
        fields: dict[str, Any] = {}
        for field in msgspec.structs.fields(source):
            schema = handler.generate_schema(field.type)
            if field.default is not msgspec.NODEFAULT:
                schema = core_schema.with_default_schema(schema, default=field.default)
            described = {"pydantic_js_updates": {"description": about[field.name]}} if field.name in about else {}
            fields[field.name] = core_schema.typed_dict_field(schema, required=field.required, metadata=described)
        return validated(
            source,
            core_schema.typed_dict_schema(
                fields, cls_name=cls.__name__, extra_behavior="forbid" if _forbids(cls) else "ignore"
            ),
            lambda value: value if isinstance(value, cls) else cls.rebuilt(source, value),
        )


def decode_field(kind: Any, value: Any) -> Any:
    """Build a field of a type that msgspec does not have: its ``dec_hook``."""
    return kind(value)


def validated(source: Any, fields: Any, rebuild: Callable[[Any], Any], *, required: bool = True) -> Any:
    """Return a schema that documents `fields`, validates with `rebuild` and serialises as `to_dict` does."""
    from pydantic_core import PydanticCustomError, core_schema  # noqa: PLC0415  not a dependency

    def validate(value: Any) -> Any:
        try:
            return rebuild(value)
        except AsmError as error:
            raise PydanticCustomError(error.code, "{message}", {"message": error.message}) from error

    def document(_: Any, handler: Any) -> Any:
        schema = handler(fields)
        resolved = handler.resolve_ref_schema(schema)
        resolved.update(title=_title(source), description=_summary(getattr(source, "__origin__", source)))
        if handler.mode == "serialization" and required:  # each field is written, and more may come
            resolved.pop("additionalProperties", None)
            resolved["required"] = list(resolved["properties"])
        return schema

    return core_schema.no_info_plain_validator_function(
        validate,
        ref=f"{getattr(source, '__origin__', source).__module__}.{_title(source)}:{id(source)}",
        json_schema_input_schema=fields,
        metadata={"pydantic_js_functions": [document]},
        serialization=core_schema.plain_serializer_function_ser_schema(lambda value: decode_json(encode_json(value))),
    )


def _title(source: Any) -> str:
    """Return the name of a type, and of its arguments: ``Page_Session``."""
    arguments = getattr(source, "__args__", ())
    return "_".join(
        getattr(kind, "__name__", str(kind)) for kind in (getattr(source, "__origin__", source), *arguments)
    )


def _summary(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def _descriptions(kind: type) -> dict[str, str]:
    """Return the descriptions of fields, from the docstrings of a class and its bases."""
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__[:-1]):
        _, _, section = cleandoc(one.__doc__ or "").partition("Attributes:\n")
        fields = _FIELD.findall(section.partition("\n\n")[0])
        found.update({name: " ".join(text.split()) for name, text in fields})
    return found


def _forbids(kind: Any) -> bool:
    return bool(kind.__struct_config__.forbid_unknown_fields)
