"""Messages of a conversation."""

from __future__ import annotations

from typing import Any, Final

from asm_core.values.payloads import Payload, encode_json
from asm_core.values.schemas import Described

TEXT: Final = "text"
TOOL_CALL: Final = "tool_call"
"""Types of the parts of a message that this project reads. Other parts are kept as they are."""


class Message(Described, frozen=True, kw_only=True):
    """A message of a conversation.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``; other roles are kept.
        content: its text, or a list of parts: ``{"type": "text", "text": ...}``, ``{"type": "tool_call",
            "tool_call_id": ..., "tool_name": ..., "tool_input": ...}``, and parts of a provider, verbatim. With the
            role ``tool``, any JSON value: the output of the tool, or its error.
        tool_call_id: the call that a message with the role ``tool`` answers.
        tool_name: the name of that tool.
        is_error: whether the tool failed, or was interrupted.
        interrupted: whether the run ended before this message, or this result of a tool, was complete.
        provider: the name of the provider that caused it.
        run_id: the run it belongs to.
        sequence_number: the number of the event that completed it.
    """

    role: str
    content: Any
    tool_call_id: str | None = None
    tool_name: str | None = None
    is_error: bool = False
    interrupted: bool = False
    provider: str | None = None
    run_id: str | None = None
    sequence_number: int = 0

    @property
    def text(self) -> str:
        """The text of the message, without other parts; the output of a tool as JSON text."""
        if isinstance(self.content, str):
            return self.content
        if self.role == "tool":
            return encode_json(self.content).decode()
        return "".join(
            part["text"] for part in self.parts if part.get("type") == TEXT and isinstance(part.get("text"), str)
        )

    @property
    def parts(self) -> list[Payload]:
        """The content as a list of parts."""
        if isinstance(self.content, str):
            return [{"type": TEXT, "text": self.content}] if self.content else []
        return [part for part in self.content if isinstance(part, dict)] if isinstance(self.content, list) else []

    @property
    def tool_calls(self) -> list[Payload]:
        """The parts that call a tool."""
        return [part for part in self.parts if part.get("type") == TOOL_CALL]


def input_messages(given: Payload | None) -> list[Payload]:
    """Return the data of the messages of a run's input: of its ``messages`` and ``prompt``.

    Another input is one message of the user, as JSON text.

    >>> input_messages({"prompt": "hello"})
    [{'role': 'user', 'content': 'hello'}]
    """
    if given is None:
        return []
    listed, prompt = given.get("messages"), given.get("prompt")
    if not isinstance(listed, list) and prompt is None:
        return [{"role": "user", "content": encode_json(given).decode()}]
    messages = listed if isinstance(listed, list) else []
    data = [message if isinstance(message, dict) else {"content": message} for message in messages]
    return data if prompt is None else [*data, {"role": "user", "content": prompt}]
