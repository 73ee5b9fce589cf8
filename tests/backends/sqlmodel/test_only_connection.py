"""An engine with a single connection."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

import asm_core as asm
from asm_backend_sqlmodel import SQLModelBackend


def test_the_only_connection_is_not_taken_from_the_application_s_transaction() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    backend = SQLModelBackend(engine, migrate=True)
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE theirs (n INTEGER)"))
        connection.commit()
        connection.execute(text("INSERT INTO theirs VALUES (1)"))
        with pytest.raises(asm.StorageError, match=r"bind\(\)"):
            backend.session_store.list_sessions()
        connection.rollback()
        assert connection.execute(text("SELECT * FROM theirs")).all() == []
    engine.dispose()
