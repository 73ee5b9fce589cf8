"""Export of a session to a file, and its exact import into any backend.

The file holds JSON lines: a header, the session, its runs, its events by number, its live artifacts, and a last line
with the counts and the SHA-256 of all lines before it. Each line in between has its own CRC, which locates damage. Both
directions stream: memory does not grow with the session.

>>> import io, asm_core.memory
>>> from asm_core.models import Event, Session
>>> here, there = asm_core.memory.MemoryBackend(), asm_core.memory.MemoryBackend()
>>> session = here.session_store.save_session(Session.new(agent_id="assistant"))
>>> _ = here.session_store.append_event(Event.new(type="session_created", session_id=session.id))
>>> file = io.BytesIO()
>>> dump_session(here, session.id, file).events
1
>>> _ = file.seek(0)
>>> load_session(there, file).events_added
1
>>> there.session_store.get_session(session.id) == session
True
"""

from asm_core.transfer.exporting import ExportReport, dump_session
from asm_core.transfer.importing import ImportReport, load_session
from asm_core.transfer.stores import CopyReport, copy_store

__all__ = ["CopyReport", "ExportReport", "ImportReport", "copy_store", "dump_session", "load_session"]
