"""What providers of models share: tools, the loop that runs them, kinds of errors. It imports no vendor's SDK."""

from asm_core.providing.failures import provider_error, retry_after
from asm_core.providing.model_provider import MAX_TOOL_ROUNDS, ModelProvider, ModelResponse, StreamText, tool_call
from asm_core.providing.portable import as_json_text, portable_call_id, portable_name, tool_text
from asm_core.providing.tools import Tool

__all__ = [
    "MAX_TOOL_ROUNDS",
    "ModelProvider",
    "ModelResponse",
    "StreamText",
    "Tool",
    "as_json_text",
    "portable_call_id",
    "portable_name",
    "provider_error",
    "retry_after",
    "tool_call",
    "tool_text",
]
