"""The usage objects of providers: the names of their counts, and the meaning of each.

Each source has its own rule for parts: cached tokens lie beside its input count or inside it, and reasoning lies beside
its output count or inside it. The names are those of anthropic 2.14, openai 3.57, google-genai 3.6, the Bedrock runtime
API and opentelemetry-semantic-conventions 0.66b2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

OTEL: Final = "gen_ai.usage."

INPUT: Final = "input_tokens"
TOOL_INPUT: Final = "tool input"
READ: Final = "cache_read_tokens"
WRITE: Final = "cache_write_tokens"
WRITE_1H: Final = "cache_write_1h_tokens"
WRITE_SHORT: Final = "cache writes with another lifetime"
OUTPUT: Final = "output_tokens"
REASONING: Final = "reasoning_tokens"
TOTAL: Final = "total_tokens"
KNOWN: Final = "no count, or part of another"


def normalised(name: str) -> str:
    """Return a name without case and underscores: ``promptTokens`` and ``prompt_tokens`` are one name."""
    return name.replace("_", "").lower()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The usage object of one API.

    Attributes:
        title: the name of the API.
        cache_beside: cached tokens are not in the input count.
        reasoning_beside: reasoning tokens are not in the output count.
        counts: the meaning of each count, by its path.
    """

    title: str
    cache_beside: bool = False
    reasoning_beside: bool = False
    counts: Mapping[str, str]

    def meaning_of(self, path: str) -> str | None:
        """Return the meaning of a normalised path; None if the source does not define it."""
        return _PATHS[self.title].get(path)


def _known(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, KNOWN)


CANONICAL: Final = Source(
    title="asm_core",
    counts={name: name for name in (INPUT, READ, WRITE, WRITE_1H, OUTPUT, REASONING, TOTAL)},
)
SOURCES: Final = (
    CANONICAL,
    Source(
        title="Anthropic Messages",
        cache_beside=True,
        counts={
            "input_tokens": INPUT,
            "cache_read_input_tokens": READ,
            "cache_creation_input_tokens": WRITE,
            "cache_creation.ephemeral_1h_input_tokens": WRITE_1H,
            "cache_creation.ephemeral_5m_input_tokens": WRITE_SHORT,
            "output_tokens": OUTPUT,
            "output_tokens_details.thinking_tokens": REASONING,
            **_known("server_tool_use.web_search_requests", "server_tool_use.web_fetch_requests"),
        },
    ),
    Source(
        title="OpenAI Responses",
        counts={
            "input_tokens": INPUT,
            "input_tokens_details.cached_tokens": READ,
            "input_tokens_details.cache_write_tokens": WRITE,
            "output_tokens": OUTPUT,
            "output_tokens_details.reasoning_tokens": REASONING,
            "total_tokens": TOTAL,
            **_known(
                *(f"input_tokens_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                *(f"output_tokens_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                *(f"input_tokens_details.cache_write_tokens_details.ttl_{ttl}_tokens" for ttl in ("30m", "12h")),
            ),
        },
    ),
    Source(
        title="OpenAI Realtime",
        counts={
            "input_tokens": INPUT,
            "input_token_details.cached_tokens": READ,
            "output_tokens": OUTPUT,
            "total_tokens": TOTAL,
            **_known(
                *(f"input_token_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                *(f"input_token_details.cached_tokens_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                *(f"output_token_details.{kind}_tokens" for kind in ("audio", "image", "text")),
            ),
        },
    ),
    Source(
        title="OpenAI Chat Completions",
        counts={
            "prompt_tokens": INPUT,
            "prompt_tokens_details.cached_tokens": READ,
            "prompt_tokens_details.cache_write_tokens": WRITE,
            "completion_tokens": OUTPUT,
            "completion_tokens_details.reasoning_tokens": REASONING,
            "total_tokens": TOTAL,
            **_known(
                *(f"prompt_tokens_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                *(f"completion_tokens_details.{kind}_tokens" for kind in ("audio", "image", "text")),
                "completion_tokens_details.accepted_prediction_tokens",
                "completion_tokens_details.rejected_prediction_tokens",
            ),
        },
    ),
    Source(
        title="Gemini",
        reasoning_beside=True,
        counts={
            "prompt_token_count": INPUT,
            "tool_use_prompt_token_count": TOOL_INPUT,
            "cached_content_token_count": READ,
            "candidates_token_count": OUTPUT,
            "response_token_count": OUTPUT,
            "thoughts_token_count": REASONING,
            "total_token_count": TOTAL,
            **_known(
                *(
                    f"{kind}_tokens_details.token_count"
                    for kind in ("prompt", "cache", "candidates", "response", "tool_use_prompt")
                )
            ),
        },
    ),
    Source(
        title="Bedrock Converse",
        cache_beside=True,
        counts={
            "input_tokens": INPUT,
            "cache_read_input_tokens": READ,
            "cache_write_input_tokens": WRITE,
            "cache_details.1h": WRITE_1H,
            "cache_details.5m": WRITE_SHORT,
            "output_tokens": OUTPUT,
            "total_tokens": TOTAL,
        },
    ),
    Source(
        title="OpenTelemetry GenAI",
        counts={
            f"{OTEL}input_tokens": INPUT,
            f"{OTEL}prompt_tokens": INPUT,
            f"{OTEL}cache_read.input_tokens": READ,
            f"{OTEL}cache_creation.input_tokens": WRITE,
            f"{OTEL}cache_write.input_tokens": WRITE,
            f"{OTEL}output_tokens": OUTPUT,
            f"{OTEL}completion_tokens": OUTPUT,
            f"{OTEL}reasoning.output_tokens": REASONING,
            f"{OTEL}total_tokens": TOTAL,
        },
    ),
)
"""The sources, most general first: of several that know equally many names, the first is taken."""

_PATHS: Final = {
    source.title: {normalised(path): meaning for path, meaning in source.counts.items()} for source in SOURCES
}
_OTHER_NAMES: Final = frozenset(path for paths in _PATHS.values() for path in paths if path not in _PATHS["asm_core"])


def is_reported_name(name: str) -> bool:
    """Return whether `name` is a provider's name for a count that has a canonical one."""
    plain = normalised(name)
    return plain in _OTHER_NAMES or (plain in _PATHS["asm_core"] and name not in CANONICAL.counts)
