"""Token counts of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from asm_core.errors import ValidationError, short_repr
from asm_core.models.base import MAX_INTEGER, check_natural
from asm_core.models.reported_usage import read_usage
from asm_core.models.usage_sources import is_reported_name
from asm_core.values.ids import check_name
from asm_core.values.schemas import validated

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_COUNTS: Final = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""The canonical counts; each is a column of the runs."""

_TOTAL: Final = "total_tokens"
_PARTS: Final = (
    ("input_tokens", ("cache_read_tokens", "cache_write_tokens")),
    ("cache_write_tokens", ("cache_write_1h_tokens",)),
    ("output_tokens", ("reasoning_tokens",)),
)


class TokenUsage(dict[str, int]):
    """Token counts by name, immutable. The canonical counts are attributes too, and 0 if they are not given.

    ``input_tokens`` is everything that went in. ``cache_read_tokens`` and ``cache_write_tokens`` are parts of it, and
    ``cache_write_1h_tokens`` is the part of the cache writes that is kept for one hour. ``output_tokens`` is everything
    that came out, and ``reasoning_tokens`` a part of it. ``total_tokens`` is always the sum of input and output: it is
    derived and never stored. An application may add counts under names of its own.

    >>> usage = TokenUsage({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}) + TokenUsage(
    ...     input_tokens=5, output_tokens=1
    ... )
    >>> usage, usage.total_tokens
    (TokenUsage({'input_tokens': 10, 'output_tokens': 3}), 13)
    """

    __slots__ = ()

    def __init__(self, counts: Mapping[str, int] | None = None, /, **more: int) -> None:
        """Check counts, from a mapping or by name.

        Raises:
            ValidationError: a count is not an integer from 0 to 2**63 - 1, a part exceeds its whole, a total is given
                without input and output, or a name is one that only `from_provider` reads.
        """
        super().__init__(_checked({} if counts is None else counts, more))

    @classmethod
    def of(cls, counts: object) -> Self:
        """Return `counts` if it is a `TokenUsage`, otherwise one with these counts.

        Raises:
            ValidationError: see the constructor.
        """
        return counts if isinstance(counts, cls) else cls(counts)  # type: ignore[arg-type]

    @classmethod
    def stored(cls, counts: dict[str, int]) -> Self:
        """Return the usage of counts that were checked when they were stored."""
        usage = cls.__new__(cls)
        dict.update(usage, counts)
        dict.pop(usage, _TOTAL, None)
        return usage

    @classmethod
    def from_provider(cls, raw: object) -> Self:
        """Return the canonical counts of a usage object as a provider reports it.

        `raw` is a mapping, or an object with attributes or ``model_dump``. Names may be in snake or camel case, and
        details nested. None is no count, also as a whole. A value that is no count passes, such as ``service_tier``.
        An unknown count is refused unless it is 0.

        ======================= ============================== ===================================
        source                  cached tokens                  reasoning
        ======================= ============================== ===================================
        Anthropic Messages      beside ``input_tokens``        inside ``output_tokens``
        OpenAI Chat Completions inside ``prompt_tokens``       inside ``completion_tokens``
        OpenAI Responses        inside ``input_tokens``        inside ``output_tokens``
        OpenAI Realtime         inside ``input_tokens``        not counted apart
        Gemini                  inside ``promptTokenCount``    beside ``candidatesTokenCount``
        Bedrock Converse        beside ``inputTokens``         inside ``outputTokens``, not counted
        OpenTelemetry GenAI     inside ``...input_tokens``     inside ``...output_tokens``
        ======================= ============================== ===================================

        Gemini's ``toolUsePromptTokenCount`` lies beside ``promptTokenCount``, and is input. If the total of another
        source shows that its reasoning lies beside the output, it is added. Anthropic's ``iterations`` of the types
        ``compaction`` and ``advisor_message`` are not in its other counts, and are added.

        Raises:
            ValidationError: `raw` is no object, or has a count under an unknown name. The message has the known names.

        >>> TokenUsage.from_provider({"input_tokens": 500, "cache_read_input_tokens": 10_000, "output_tokens": 20})
        TokenUsage({'input_tokens': 10500, 'output_tokens': 20, 'cache_read_tokens': 10000})
        """
        return cls({} if raw is None else read_usage(raw))

    @property
    def input_tokens(self) -> int:
        """Everything that went in."""
        return self.get("input_tokens", 0)

    @property
    def cache_read_tokens(self) -> int:
        """The input that was read from a cache."""
        return self.get("cache_read_tokens", 0)

    @property
    def cache_write_tokens(self) -> int:
        """The input that was written to a cache."""
        return self.get("cache_write_tokens", 0)

    @property
    def cache_write_1h_tokens(self) -> int:
        """The cache writes that are kept for one hour."""
        return self.get("cache_write_1h_tokens", 0)

    @property
    def output_tokens(self) -> int:
        """Everything that came out."""
        return self.get("output_tokens", 0)

    @property
    def reasoning_tokens(self) -> int:
        """The output that is reasoning."""
        return self.get("reasoning_tokens", 0)

    @property
    def total_tokens(self) -> int:
        """The sum of input and output."""
        return self.input_tokens + self.output_tokens

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, _: Any) -> Any:
        """Return a schema that documents the canonical counts: invalid ones are refused with this project's errors."""
        from pydantic_core import core_schema  # noqa: PLC0415  not a dependency

        count = core_schema.int_schema(ge=0, le=MAX_INTEGER)
        counts = {
            name: core_schema.typed_dict_field(
                count, required=False, metadata={"pydantic_js_updates": {"description": getattr(cls, name).__doc__}}
            )
            for name in TOKEN_COUNTS
        }
        fields = core_schema.typed_dict_schema(counts, extras_schema=count, extra_behavior="allow")
        return validated(source, fields, cls.of, required=False)

    def __add__(self, other: Mapping[str, int]) -> TokenUsage:
        """Return the sums, name by name."""
        return self._combined(other, lambda one, another: one + another)

    def greatest(self, other: Mapping[str, int]) -> TokenUsage:
        """Return each count at its greatest: two reports of the same response, the later one more complete."""
        return self._combined(other, max)

    def _combined(self, other: Mapping[str, int], combine: Callable[[int, int], int]) -> TokenUsage:
        if not isinstance(other, Mapping):
            return NotImplemented
        other = TokenUsage.of(other)
        counts = {name: combine(self.get(name, 0), other.get(name, 0)) for name in {**self, **other}}
        for whole, parts in _PARTS:
            if (least := sum(counts.get(part, 0) for part in parts)) > counts.get(whole, 0):
                counts[whole] = least
        return TokenUsage(counts)

    def __repr__(self) -> str:
        """Return an expression that builds it."""
        return f"TokenUsage({dict.__repr__(self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickle and copy."""
        return TokenUsage, (dict(self),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        message = "TokenUsage is immutable. Build another one, or add to it with +."
        raise TypeError(message)

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


def _checked(given: object, more: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(given, Mapping):
        message = f"token_usage must be a dict of counts, not {short_repr(given)}."
        raise ValidationError(message)
    counts = {
        check_name("a key of token_usage", name): check_natural(f"token_usage.{name}", count)
        for name, count in {**given, **more}.items()
    }
    for name in counts:
        if name not in TOKEN_COUNTS and name != _TOTAL and is_reported_name(name):
            message = (
                f"token_usage has the key {short_repr(name)}, which a provider uses. Use TokenUsage.from_provider(...) "
                f"to convert it to the canonical counts: {', '.join(TOKEN_COUNTS)}."
            )
            raise ValidationError(message)
    _check_sums(counts, counts.pop(_TOTAL, 0))
    return counts


def _check_sums(counts: Mapping[str, int], total: int) -> None:
    derived = counts.get("input_tokens", 0) + counts.get("output_tokens", 0)
    if derived > MAX_INTEGER:
        check_natural("The total of token_usage", derived)
    if total and not derived:
        message = f"token_usage has a total of {total}, but no input or output tokens, of which a total is the sum."
        raise ValidationError(message)
    for whole, parts in _PARTS:
        if (least := sum(counts.get(part, 0) for part in parts)) > counts.get(whole, 0):
            message = (
                f"token_usage has {counts.get(whole, 0)} {whole}, but {least} of {' and '.join(parts)}, which are "
                f"parts of them. Count the parts in {whole} too."
            )
            raise ValidationError(message)
