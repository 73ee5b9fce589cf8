"""The base class of all models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from asm_core.errors import ValidationError, short_repr
from asm_core.values.payloads import decode_json, encode_json
from asm_core.values.schemas import Described

T = TypeVar("T")

MAX_INTEGER = (1 << 63) - 1
"""The largest integer that every database can store."""


class Model(Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen, slotted record.

    ``X.new(...)`` and ``X.from_dict(...)`` check their arguments. The plain constructor does not: backends use it for
    values that were checked when they were stored. The ports check every model again before they store it.
    """

    named: ClassVar[Mapping[str, Callable[[object], object]]] = {}
    """Fields of names, with the error class for an unknown name."""

    def checked(self) -> Self:
        """Return an equal model with each field checked and normalised.

        Raises:
            ValidationError: a field has an invalid value.
        """
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the fields JSON-shaped, with times in ISO 8601 and money as a string; `from_dict` is the inverse."""
        fields: dict[str, Any] = decode_json(encode_json(self))
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Rebuild a model from the result of `to_dict`.

        Raises:
            ValidationError: a field is missing or unknown, or has an invalid value.
        """
        if isinstance(fields, Mapping):
            for name, check in cls.named.items():
                if name in fields:
                    check(fields[name])
        model: Self = super().rebuilt(cls, fields)
        return model.checked()

    @classmethod
    def rebuilt(cls, source: Any, fields: Any) -> Any:  # noqa: ARG003  a model has no type arguments
        """Return `from_dict` of the fields."""
        return cls.from_dict(fields)


def check_instance(kind: type[T], value: object) -> T:
    """Return `value` if it is an instance of `kind`.

    Raises:
        ValidationError: it is not.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__.startswith(("A", "E", "I", "O", "U")) else "a"
        message = f"Expected {article} {kind.__name__}, not {short_repr(value)}."
        raise ValidationError(message)
    return value


def check_natural(field: str, value: object, *, least: int = 0) -> int:
    """Return `value` if it is an integer from `least` to `MAX_INTEGER`.

    Raises:
        ValidationError: it is another value.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_INTEGER:
        message = f"{field} must be an integer of at least {least}, below 2**63, not {short_repr(value)}."
        raise ValidationError(message)
    return int(value)
