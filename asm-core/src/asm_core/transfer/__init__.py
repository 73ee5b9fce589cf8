"""Export of a session, or of a namespace of state, to a file, and its exact import into any backend.

The file of a session holds JSON lines: a header, the session, its runs, its events by number, its live artifacts, and a
last line with the counts and the SHA-256 of all lines before it. Each line in between has its own CRC, which locates
damage. A namespace of state has a file of its own: a header, its records by key, and such a last line. Both directions
stream: memory does not grow with what is transferred.

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
from asm_core.transfer.records import StateReport
from asm_core.transfer.state_files import dump_state, load_state
from asm_core.transfer.stores import CopyReport, copy_store

__all__ = [
    "CopyReport",
    "ExportReport",
    "ImportReport",
    "StateReport",
    "copy_store",
    "dump_session",
    "dump_state",
    "load_session",
    "load_state",
]
