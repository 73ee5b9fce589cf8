"""What integrations of agent frameworks share: composed ids, values that payloads refuse, and reads of contents."""

from asm_core.integrating.escapes import Escapes, escape_payload, restore_payload
from asm_core.integrating.readable import readable
from asm_core.integrating.reading import read_contents, read_latest
from asm_core.querying.contents import EventContent, Latest
from asm_core.values.composed_ids import composed_id

__all__ = [
    "Escapes",
    "EventContent",
    "Latest",
    "composed_id",
    "escape_payload",
    "read_contents",
    "read_latest",
    "readable",
    "restore_payload",
]
