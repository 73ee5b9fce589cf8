"""Compaction: unused space is returned, and no record changes."""

from __future__ import annotations

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import an_event, some_events
from asm_core import Backend, Capability, Maintenance, Session, SessionStore, StorageError

SIZE = 10_000


class CompactionContract(Contract):
    """`compact` returns unused space, and reports the size before and after."""

    def test_compaction_changes_no_record(
        self, store: SessionStore, maintenance: Maintenance, session: Session
    ) -> None:
        """Check `compact`: it may move records, and changes none; counters stay."""
        events = store.append_events(some_events(session, 300, metadata={"x": "x" * SIZE}))
        store.delete_events(session.id, after=10)
        compaction = maintenance.compact()
        assert compaction.size_before == 0 or compaction.size_after < compaction.size_before
        assert store.get_events(session.id) == events[:10]
        assert store.append_event(an_event(session)).sequence_number == 301
        assert maintenance.health_check() == []

    @pytest.mark.requires(Capability.MIGRATIONS)
    def test_compaction_in_a_transaction_is_refused(self, backend: Backend, session: Session) -> None:
        """Check `compact`: a database cannot rewrite its files inside a transaction."""
        with pytest.raises(StorageError, match="transaction"), backend.transaction():
            backend.maintenance.compact()
        assert backend.session_store.get_session(session.id) == session
