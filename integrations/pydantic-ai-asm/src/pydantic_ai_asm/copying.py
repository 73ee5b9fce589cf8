"""Copies of conversations of another store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_ai.conversation_store import ConversationConflict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.conversation_store import ConversationRecord, ConversationStore


async def copy_conversations(source: ConversationStore, target: ConversationStore) -> int:
    """Copy all conversations, with the branches that they left; return the number of those that were copied.

    Entries and revisions stay the same, so loaded conversations can be saved to the copy. A conversation that `target`
    has is skipped, so the call can be repeated.
    """
    copied = 0
    seen: set[str] = set()
    for record in _originals_first(await source.read_records()):
        entries = {}
        for tip in (*record.branches, record.head_id):
            entries.update({entry.id: entry for entry in await source.read_history(tip)})
        if await target.read_record(record.conversation_id) is None:
            try:
                # Entries that conversations share are written once, with the first of them.
                new = [entry for entry_id, entry in entries.items() if entry_id not in seen]
                await target.write_record(record, new_entries=new, expected_revision=None)
            except ConversationConflict:
                continue  # another copy was faster
            copied += 1
            seen.update(entries)
    return copied


def _originals_first(records: Sequence[ConversationRecord]) -> list[ConversationRecord]:
    """Return conversations before their forks, so that usage counts where it arose."""
    by_id = {record.conversation_id: record for record in records}

    def depth(record: ConversationRecord) -> int:
        above: set[str] = set()
        while record.forked_from in by_id and record.forked_from not in above:
            above.add(record.forked_from)
            record = by_id[record.forked_from]
        return len(above)

    return sorted(records, key=depth)
