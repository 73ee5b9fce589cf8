"""Names, ids and results of tools in the form that every vendor accepts."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from asm_core.values.payloads import encode_json

if TYPE_CHECKING:
    from asm_core.conversation import Message

_LONGEST: Final = 64
_REFUSED: Final = re.compile(r"[^a-zA-Z0-9_-]")
_NAME: Final = re.compile(rf"[a-zA-Z0-9_-]{{1,{_LONGEST}}}")


def portable_call_id(call_id: str) -> str:
    """Return the id of a call as every vendor accepts it: unchanged if it is valid, else a hash.

    >>> portable_call_id("call_1"), portable_call_id("a:1")
    ('call_1', 'call_2b2c40a6706d9e5f320d5536')
    """
    if _NAME.fullmatch(call_id):
        return call_id
    return "call_" + hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()[:24]


def portable_name(name: object) -> str:
    """Return the name of a tool as every vendor accepts it.

    >>> portable_name("git log")
    'git_log'
    """
    return _REFUSED.sub("_", name)[:_LONGEST] if isinstance(name, str) and name else "tool"


def tool_text(message: Message) -> str:
    """Return the result of a tool as text for a model: a text as it is, other values as JSON."""
    return message.content if isinstance(message.content, str) else as_json_text(message.content)


def as_json_text(value: Any) -> str:
    """Return a value as JSON text."""
    return encode_json(value).decode()
