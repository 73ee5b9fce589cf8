"""What all models have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import msgspec

from asm_core.errors import ValidationError, shown
from asm_core.values.payloads import decode_json, encode_json

MAX_INTEGER = (1 << 63) - 1
"""The greatest integer that every database keeps."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen, slotted record.

    ``X.new(...)`` and ``X.from_dict(...)`` check what they are given. The plain constructor does not: backends build
    models with it from what was checked when it was written. The ports check again whatever they store.
    """

    named: ClassVar[Mapping[str, Callable[[object], object]]] = {}
    """Fields with an error of their own when their value is none of the known names."""

    def checked(self) -> Self:
        """Return an equal model with each field checked and in its normal shape.

        Raises:
            ValidationError: a field has a value that cannot be kept.
        """
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them: times in ISO 8601, money as a string; `from_dict` is the inverse."""
        fields: dict[str, Any] = decode_json(encode_json(self))
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return the model that `to_dict` made `fields` of.

        Raises:
            ValidationError: a field is missing, unknown, or has a value that cannot be kept.
        """
        if not isinstance(fields, Mapping):
            message = f"{cls.__name__}.from_dict takes a dict, not {shown(fields)}."
            raise ValidationError(message)
        for name, check in cls.named.items():
            if name in fields:
                check(fields[name])
        try:
            model = msgspec.convert(dict(fields), type=cls)
        except (msgspec.ValidationError, RecursionError) as error:
            message = f"This is no {cls.__name__.lower()}: {error}."
            raise ValidationError(message) from None
        return model.checked()


def check_natural(field: str, value: object, *, least: int = 0) -> int:
    """Return `value` if it is an integer of at least `least` that fits 64 bits.

    Raises:
        ValidationError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_INTEGER:
        message = f"{field} must be an integer of at least {least}, below 2**63, not {shown(value)}."
        raise ValidationError(message)
    return int(value)
