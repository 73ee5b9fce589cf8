"""Arguments that the ports refuse, whatever the adapter: the checks are core's."""

from __future__ import annotations

from typing import Any

import pytest
from on_memory import OnMemory

from asm_contract_tests.making import (
    a_session,
)
from asm_core import Maintenance, RetentionPolicy, SessionStore, ValidationError


class TestMaintenanceArguments(OnMemory):
    @pytest.mark.parametrize("value", [None, {}, 90, object()])
    def test_only_a_policy_is_executed(self, maintenance: Maintenance, store: SessionStore, value: Any) -> None:
        """Check the public methods of the port: they refuse what is no RetentionPolicy."""
        store.save_session(a_session(id="s1"))
        calls: list[Any] = [
            maintenance.execute,
            maintenance.soft_delete_expired_sessions,
            maintenance.hard_delete_expired_sessions,
            lambda policy: maintenance.prune_session_events("s1", policy),
        ]
        for call in calls:
            with pytest.raises(ValidationError):
                call(value)

    @pytest.mark.parametrize("session_id", ["", "\0", None, 1])
    def test_only_an_id_names_a_session_to_prune(self, maintenance: Maintenance, session_id: Any) -> None:
        """Check `prune_session_events`: it checks the id before it looks for it."""
        with pytest.raises(ValidationError):
            maintenance.prune_session_events(session_id, RetentionPolicy())
