"""The parameters of a callable: their JSON schema, and the conversion of arguments from JSON."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.values.payloads import check_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asm_core.values.payloads import Payload

_REFERENCE: Final = "#/$defs/{name}"
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Signature:
    """The parameters of a callable.

    Attributes:
        schema: their JSON schema, an object.
    """

    def __init__(self, function: Callable[..., Any], descriptions: Mapping[str, str]) -> None:
        """Read the signature of `function`.

        Raises:
            ValidationError: it has parameters without a name, or a type that JSON cannot represent.
        """
        parameters = inspect.signature(function).parameters
        hints = _hints(function)
        for one in parameters.values():
            if one.kind not in _NAMED:
                message = (
                    f"The parameter {str(one)!r} of the tool {_name(function)} must be one that is passed by name."
                )
                raise ValidationError(message)
        fields = []
        for name, one in parameters.items():
            kind = hints.get(name, Any)
            if one.default is one.empty:
                fields.append((name, kind))
            else:  # the function's own default applies
                fields.append((name, Union[kind, msgspec.UnsetType], msgspec.UNSET))  # type: ignore[arg-type]  # noqa: UP007
        self._names = tuple(parameters)
        try:
            self._type = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
            self.schema = _schema(self._type)
        except (TypeError, ValueError) as error:
            message = f"The parameters of the tool {_name(function)} have no JSON schema: {error}"
            raise ValidationError(message) from error
        for name, one in parameters.items():
            _describe(self.schema["properties"][name], descriptions.get(name) or _note(hints.get(name)), one.default)

    def convert(self, given: object) -> dict[str, Any]:
        """Return arguments in the types of the parameters.

        Raises:
            msgspec.ValidationError: an argument is missing, unknown or of another type.
        """
        arguments = msgspec.convert(given, self._type, dec_hook=_from_json)
        values = ((name, getattr(arguments, name)) for name in self._names)
        return {name: value for name, value in values if value is not msgspec.UNSET}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    plain: Any = function
    while isinstance(plain, partial):
        plain = plain.func
    if not inspect.isroutine(plain):
        plain = type(plain).__call__
    try:
        return get_type_hints(plain, include_extras=True)
    except NameError as error:
        message = f"The annotations of the tool {_name(function)} cannot be read: {error}. Import it at runtime."
        raise ValidationError(message) from error


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or short_repr(function))


def _note(hint: Any) -> str:
    """Return the text of ``Annotated[type, "text"]``."""
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    return next((note for note in notes if isinstance(note, str)), "")


def _schema(kind: type) -> Payload:
    foreign: dict[str, Any] = {}

    def of_pydantic(found: Any) -> Payload:
        if not hasattr(found, "model_json_schema"):
            raise NotImplementedError
        schema: Payload = found.model_json_schema(ref_template="#/$defs/{model}")
        foreign.update(schema.pop("$defs", {}))
        return schema

    (reference,), definitions = msgspec.json.schema_components([kind], schema_hook=of_pydantic, ref_template=_REFERENCE)
    own = definitions.pop(reference["$ref"].removeprefix(_REFERENCE.format(name="")))
    schema: Payload = {"type": "object", "properties": own["properties"], "required": own["required"]}
    schema["additionalProperties"] = False
    if definitions or foreign:
        schema["$defs"] = {**definitions, **foreign}
    return schema


def _describe(schema: Payload, description: str, default: object) -> None:
    if description:
        schema["description"] = description
    if default is not inspect.Parameter.empty and default is not None:
        with suppress(ValidationError):
            schema["default"] = check_payload("default", {"default": default})["default"]


def _from_json(kind: Any, value: Any) -> Any:
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    return value
