"""What integrations of agent frameworks share: composed ids, and values that payloads refuse."""

from asm_core.integrating.escapes import Escapes, escape_payload, restore_payload
from asm_core.integrating.readable import readable
from asm_core.values.composed_ids import composed_id

__all__ = ["Escapes", "composed_id", "escape_payload", "readable", "restore_payload"]
