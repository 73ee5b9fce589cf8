"""Reading of token usage as providers report it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models.base import check_natural
from asm_core.models.usage_sources import (
    INPUT,
    KNOWN,
    OTEL,
    OUTPUT,
    READ,
    REASONING,
    SOURCES,
    TOOL_INPUT,
    TOTAL,
    WRITE,
    WRITE_1H,
    WRITE_SHORT,
    normalised,
)

if TYPE_CHECKING:
    from asm_core.models.usage_sources import Source

_DEEPEST: Final = 5
"""Levels of nested details that are read."""


def read_usage(raw: object) -> dict[str, int]:
    """Return the canonical counts of a usage object.

    Raises:
        ValidationError: it is no object, or holds a count that no source defines.
    """
    fields = _fields(raw)
    if fields is None:
        message = f"Token usage must be a mapping or an object with attributes, not {short_repr(raw)}."
        raise ValidationError(message)
    fields = {normalised(str(name)): (str(name), value) for name, value in fields.items()}
    further = [_fields(entry) or {} for entry in _entries(fields.pop("iterations", ("", ()))[1])]
    leaves = list(_leaves("", dict(fields.values())))
    if any(path.startswith(OTEL) for path, _ in leaves):
        # A span has other attributes too.
        leaves = [(path, value) for path, value in leaves if path.startswith(OTEL)]
    counts = _canonical(leaves)
    for entry in further:
        # The samplings that Anthropic does not add to the counts of the response itself.
        if entry.get("type") in {"compaction", "advisor_message"}:
            for name, count in read_usage(entry).items():
                counts[name] = counts.get(name, 0) + count
    return counts


def _canonical(leaves: list[tuple[str, object]]) -> dict[str, int]:
    paths = [(normalised(path), path, value) for path, value in leaves]
    source = max(SOURCES, key=lambda source: sum(source.meaning_of(plain) is not None for plain, _, _ in paths))
    found: dict[str, int] = {}
    for plain, path, value in paths:
        meaning = source.meaning_of(plain)
        if meaning is not None and value is not None:
            count = check_natural(f"usage.{path}", value)
            found[meaning] = max(found.get(meaning, 0), count)
        elif meaning is None and type(value) is int and value:
            known = ", ".join(name for name, meaning in source.counts.items() if meaning is not KNOWN)
            message = f"Unknown count in token usage: {path} = {value}. Known counts of {source.title}: {known}."
            raise ValidationError(message)
    return _without_overlap(source, found)


def _without_overlap(source: Source, found: Mapping[str, int]) -> dict[str, int]:
    """Return counts in which the input holds its cached parts, and the output its reasoning."""
    read, reasoning = found.get(READ, 0), found.get(REASONING, 0)
    long = found.get(WRITE_1H, 0)
    write = max(found.get(WRITE, 0), long + found.get(WRITE_SHORT, 0))
    given = found.get(INPUT, 0) + found.get(TOOL_INPUT, 0) + (read + write if source.cache_beside else 0)
    made = found.get(OUTPUT, 0)
    # Some compatible APIs report reasoning beside the output. Their total shows it.
    if source.reasoning_beside or (reasoning and found.get(TOTAL) == given + made + reasoning):
        made += reasoning
    if found.get(TOTAL) and not given + made:
        message = f"Token usage has a total of {found[TOTAL]}, but neither input nor output. Report both."
        raise ValidationError(message)
    counts = {READ: read, WRITE: write, WRITE_1H: long, REASONING: reasoning}
    parts = {name: count for name, count in counts.items() if count}
    wholes = {}
    if given or not found.keys().isdisjoint({INPUT, TOOL_INPUT}):
        wholes[INPUT] = given
    if made or OUTPUT in found:
        wholes[OUTPUT] = made
    return {**wholes, **parts}


def _leaves(path: str, value: object, depth: int = 0) -> Iterator[tuple[str, object]]:
    fields = _fields(value)
    if depth > _DEEPEST:
        message = f"Token usage is nested more than {_DEEPEST} levels deep, at {path[:100]}."
        raise ValidationError(message)
    if fields is not None:
        for name, item in fields.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            entry = _fields(item) or {}
            # Bedrock's cacheDetails: a count for each lifetime.
            by_ttl = {str(entry.get("ttl")): entry.get("inputTokens", entry.get("input_tokens"))}
            yield from _leaves(path, by_ttl if "ttl" in entry else item, depth + 1)
    else:
        yield path, value


def _entries(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _fields(value: object) -> Mapping[Any, Any] | None:
    """Return the fields of a mapping or object; None for a plain value."""
    if isinstance(value, Mapping):
        return value
    if value is None or isinstance(value, str | bytes | int | float | list | tuple | type):
        return None
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return _fields(dump())
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if hasattr(type(value), "__dataclass_fields__"):
        from dataclasses import fields as fields_of  # noqa: PLC0415  its import takes long

        return {field.name: getattr(value, field.name) for field in fields_of(cast("Any", value))}
    fields = getattr(value, "__dict__", None)
    return None if fields is None else {name: item for name, item in fields.items() if not name.startswith("_")}
