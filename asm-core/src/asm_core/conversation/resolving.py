"""Messages with the values that their references stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from asm_core.conversation.messages import TEXT, TOOL_CALL
from asm_core.conversation.references import ElsewhereError, lookup, mentions_reference, replaced

if TYPE_CHECKING:
    from asm_core.conversation.messages import Message
    from asm_core.conversation.references import Contents, Reference


class Resolver:
    """Replaces references in messages by values, and by a text where a value is not at hand."""

    def __init__(self, artifacts: Contents | None) -> None:
        """Read values from `artifacts`."""
        self._find = lookup(artifacts)

    def message(self, message: Message) -> Message:
        """Return a message without references, except in the input of a tool whose value is not at hand."""
        content = message.content
        if isinstance(content, str) or not mentions_reference(content):
            return message
        if message.role == "tool":
            resolved = replaced(content, self._value_or_text)
        elif isinstance(content, list):
            resolved = [self._part(part) for part in content]
        else:
            return message
        return msgspec.structs.replace(message, content=resolved)

    def _value_or_text(self, reference: Reference) -> Any:
        try:
            return self._find(reference)
        except ElsewhereError as missing:
            return str(missing)

    def _part(self, part: Any) -> Any:
        try:
            return replaced(part, self._find)
        except ElsewhereError as missing:
            # The input of a tool is an object, and the call belongs to its result: it keeps the reference.
            is_call = isinstance(part, dict) and part.get("type") == TOOL_CALL
            return part if is_call else {"type": TEXT, "text": str(missing)}
