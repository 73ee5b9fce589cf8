"""Parts that both of OpenAI's protocols read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.providing import as_json_text

if TYPE_CHECKING:
    from asm_core.values.payloads import Payload


def arguments_of(tool_input: Any) -> str:
    """Return the input of a tool as JSON text; text that was no JSON object is given back as it came."""
    return tool_input if isinstance(tool_input, str) else as_json_text(tool_input)


def image_url(part: Payload) -> str | None:
    """Return the URL of a part with the type ``image``, also for inline data; None if it has none."""
    source = part.get("source")
    if not isinstance(source, dict):
        return None
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = source.get("url")
    return url if isinstance(url, str) else None


def image_part(url: str) -> Payload:
    """Return the part for an image with this URL; the inverse of `image_url`."""
    head, marker, data = url.partition(";base64,")
    if marker and head.startswith("data:"):
        return {"type": "image", "source": {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}}
    return {"type": "image", "source": {"type": "url", "url": url}}
