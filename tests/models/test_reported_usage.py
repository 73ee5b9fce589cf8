"""Token usage as providers report it. The expected counts are worked out by hand from the rules in each comment."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from asm_core import TokenUsage, ValidationError

# Anthropic: cached tokens lie beside the input (3 + 2,000 + 500 = 2,503), thinking inside the output.
ANTHROPIC = {
    "cache_creation": {"ephemeral_1h_input_tokens": 200, "ephemeral_5m_input_tokens": 300},
    "cache_creation_input_tokens": 500,
    "cache_read_input_tokens": 2_000,
    "inference_geo": "us",
    "input_tokens": 3,
    "output_tokens": 80,
    "output_tokens_details": {"thinking_tokens": 50},
    "server_tool_use": {"web_fetch_requests": 0, "web_search_requests": 2},
    "service_tier": "standard",
}
OF_ANTHROPIC = {
    "input_tokens": 2_503,
    "cache_read_tokens": 2_000,
    "cache_write_tokens": 500,
    "cache_write_1h_tokens": 200,
    "output_tokens": 80,
    "reasoning_tokens": 50,
}
# OpenAI: cached tokens lie inside the prompt, reasoning inside the completion.
CHAT = {
    "prompt_tokens": 2_006,
    "completion_tokens": 300,
    "total_tokens": 2_306,
    "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0, "text_tokens": 2_006},
    "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 9, "audio_tokens": None},
    "service_tier": "default",
}
OF_CHAT = {"input_tokens": 2_006, "cache_read_tokens": 1_920, "output_tokens": 300, "reasoning_tokens": 256}
RESPONSES = {
    "input_tokens": 2_006,
    "input_tokens_details": {
        "cached_tokens": 1_000,
        "cache_write_tokens": 900,
        "cache_write_tokens_details": {"ttl_30m_tokens": 900, "ttl_12h_tokens": 0},
    },
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 256},
    "total_tokens": 2_306,
}
OF_RESPONSES = {
    "input_tokens": 2_006,
    "cache_read_tokens": 1_000,
    "cache_write_tokens": 900,
    "output_tokens": 300,
    "reasoning_tokens": 256,
}
# Gemini: cached tokens lie inside the prompt, tool results beside it (100 + 7).
# Thoughts lie beside the candidates (6 + 190).
GEMINI = {
    "promptTokenCount": 100,
    "cachedContentTokenCount": 60,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 190,
    "toolUsePromptTokenCount": 7,
    "totalTokenCount": 303,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 90}, {"modality": "IMAGE", "tokenCount": 10}],
    "trafficType": "ON_DEMAND",
}
OF_GEMINI = {"input_tokens": 107, "cache_read_tokens": 60, "output_tokens": 196, "reasoning_tokens": 190}
# Bedrock: cached tokens lie beside the input (4 + 1,800 + 30 = 1,834).
BEDROCK = {
    "inputTokens": 4,
    "outputTokens": 95,
    "totalTokens": 1_929,
    "cacheReadInputTokens": 1_800,
    "cacheWriteInputTokens": 30,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 10}],
}
OF_BEDROCK = {
    "input_tokens": 1_834,
    "cache_read_tokens": 1_800,
    "cache_write_tokens": 30,
    "cache_write_1h_tokens": 20,
    "output_tokens": 95,
}
# OpenTelemetry: the input includes cached tokens, the output includes reasoning. A span has other attributes too.
OTEL = {
    "gen_ai.request.max_tokens": 4_096,
    "gen_ai.usage.input_tokens": 500,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.cache_creation.input_tokens": 50,
    "gen_ai.usage.output_tokens": 40,
    "gen_ai.usage.reasoning.output_tokens": 30,
}
OF_OTEL = {
    "input_tokens": 500,
    "cache_read_tokens": 400,
    "cache_write_tokens": 50,
    "output_tokens": 40,
    "reasoning_tokens": 30,
}
REPORTS = {
    "anthropic": (ANTHROPIC, OF_ANTHROPIC),
    "chat": (CHAT, OF_CHAT),
    "responses": (RESPONSES, OF_RESPONSES),
    "gemini": (GEMINI, OF_GEMINI),
    "bedrock": (BEDROCK, OF_BEDROCK),
    "otel": (OTEL, OF_OTEL),
    "canonical": (OF_ANTHROPIC, OF_ANTHROPIC),
}
each_report = pytest.mark.parametrize(("raw", "expected"), REPORTS.values(), ids=REPORTS)


def with_names(raw: Any, change: Any) -> Any:
    if isinstance(raw, dict):
        return {change(name): with_names(value, change) for name, value in raw.items()}
    return [with_names(value, change) for value in raw] if isinstance(raw, list) else raw


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def as_object(raw: Any) -> Any:
    if isinstance(raw, dict):
        return SimpleNamespace(**{name: as_object(value) for name, value in raw.items()})
    return [as_object(value) for value in raw] if isinstance(raw, list) else raw


class Dumped:
    """As the objects of Pydantic are."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def model_dump(self) -> Any:
        return self.raw


@each_report
def test_a_report_is_read(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(raw) == expected


@each_report
def test_a_report_may_be_in_camel_case(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(with_names(raw, camel if raw is not OTEL else str)) == expected


@each_report
def test_a_report_may_be_in_snake_case(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(with_names(raw, snake)) == expected


@each_report
def test_a_report_may_be_an_object_with_attributes(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(as_object(raw)) == expected


@each_report
def test_a_report_may_be_an_object_of_pydantic(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(Dumped(raw)) == expected


@each_report
def test_the_total_is_the_sum_of_input_and_output(raw: Any, expected: dict[str, int]) -> None:
    assert TokenUsage.from_provider(raw).total_tokens == expected["input_tokens"] + expected["output_tokens"]


def test_the_total_of_gemini_and_bedrock_is_the_one_they_report() -> None:
    assert TokenUsage.from_provider(GEMINI).total_tokens == 303
    assert TokenUsage.from_provider(BEDROCK).total_tokens == 1_929


def test_dataclasses_and_structs_are_read() -> None:
    @dataclasses.dataclass(slots=True)
    class Usage:
        prompt_tokens: int = 5
        completion_tokens: int = 2

    struct = msgspec.defstruct("Usage", [("prompt_tokens", int, 5), ("completion_tokens", int, 2)])
    for usage in (Usage(), struct()):
        assert TokenUsage.from_provider(usage) == {"input_tokens": 5, "output_tokens": 2}


@pytest.mark.parametrize("raw", [None, {}, {"input_tokens": None}, {"service_tier": "standard"}])
def test_nothing_reported_is_no_count(raw: Any) -> None:
    assert TokenUsage.from_provider(raw) == {}


def test_a_report_of_a_stream_may_hold_the_output_alone() -> None:
    assert TokenUsage.from_provider({"output_tokens": 15}) == {"output_tokens": 15}


def test_cache_writes_may_be_reported_by_lifetime_alone() -> None:
    raw = {"input_tokens": 1, "output_tokens": 1, "cache_creation": ANTHROPIC["cache_creation"]}
    assert TokenUsage.from_provider(raw) == {
        "input_tokens": 501,
        "output_tokens": 1,
        "cache_write_tokens": 500,
        "cache_write_1h_tokens": 200,
    }


def test_reasoning_beside_the_completion_is_found_by_the_total() -> None:
    raw = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 55} | {
        "completion_tokens_details": {"reasoning_tokens": 40}
    }
    assert TokenUsage.from_provider(raw) == {"input_tokens": 10, "output_tokens": 45, "reasoning_tokens": 40}


def test_samplings_that_are_not_in_the_response_are_added() -> None:
    """A message is in the counts of the response; a compaction is not: 23,000 + 180,000 in, 1,000 + 3,500 out."""
    iterations = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    raw = {"input_tokens": 23_000, "output_tokens": 1_000, "iterations": iterations}
    assert TokenUsage.from_provider(raw) == {"input_tokens": 203_000, "output_tokens": 4_500}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"input_tokens": 5, "output_tokens": 2, "mystery_tokens": 9}, "mystery_tokens = 9"),
        ({"prompt_tokens": 5, "prompt_tokens_details": {"smell_tokens": 9}}, "prompt_tokens_details.smell_tokens = 9"),
        ({"promptTokenCount": 5, "dreamTokenCount": 9}, "dreamTokenCount = 9"),
        ({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.x": 9}, "gen_ai.usage.x = 9"),
        ({"input_tokens_details": {"cached_tokens": 9}, "prompt_tokens": 5}, "prompt_tokens = 5"),
        ({"tokens": 9}, "tokens = 9"),
    ],
)
def test_an_unknown_count_is_refused_with_the_known_ones(raw: Any, path: str) -> None:
    with pytest.raises(ValidationError, match=rf"{path}\. Known counts of .*: .*tokens?"):
        TokenUsage.from_provider(raw)


@pytest.mark.parametrize(
    "raw",
    [
        5,
        "5",
        [5],
        {"input_tokens": -5},
        {"input_tokens": "5"},
        {"input_tokens": 5.5},
        {"input_tokens": 2**63},
        {"total_tokens": 5},
        {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 6},
    ],
)
def test_a_report_that_cannot_be_is_refused(raw: Any) -> None:
    with pytest.raises(ValidationError):
        TokenUsage.from_provider(raw)


def test_a_report_that_holds_itself_is_refused() -> None:
    raw: dict[str, Any] = {"input_tokens": 5}
    raw["again"] = raw
    with pytest.raises(ValidationError, match="nested"):
        TokenUsage.from_provider(raw)


def test_openai_realtime_and_transcriptions_are_read_by_their_own_names() -> None:
    # Cached tokens, and those of each medium, lie inside the input.
    usage = {
        "input_tokens": 120,
        "input_token_details": {
            "audio_tokens": 70,
            "image_tokens": 10,
            "text_tokens": 40,
            "cached_tokens": 64,
            "cached_tokens_details": {"audio_tokens": 32, "text_tokens": 32},
        },
        "output_tokens": 30,
        "output_token_details": {"audio_tokens": 20, "text_tokens": 10},
        "total_tokens": 150,
    }
    assert TokenUsage.from_provider(usage) == {"input_tokens": 120, "cache_read_tokens": 64, "output_tokens": 30}
    transcription = {
        "type": "tokens",
        "input_tokens": 14,
        "input_token_details": {"audio_tokens": 14, "text_tokens": 0},
    }
    assert TokenUsage.from_provider(transcription) == {"input_tokens": 14}
