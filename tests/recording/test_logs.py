"""The lines of the log for operators."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from processes import LIMIT

import asm_core as asm
from asm_core import SessionManager, logs
from asm_core.recording.lifecycle.process_identity import make_stamp
from asm_core.testing import FakeProvider, FakeTurn

if TYPE_CHECKING:
    from asm_core import SessionStore

LIMITED = asm.ProviderRateLimitedError("a secret: sk-123")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "asm")
    return caplog


def facts(lines: pytest.LogCaptureFixture) -> list[Any]:
    return [record.__dict__["asm"]["event"] for record in lines.records]


def test_a_run_has_a_line_at_its_begin_and_at_its_end(store: SessionStore, lines: pytest.LogCaptureFixture) -> None:
    result = SessionManager(store, FakeProvider(["Hi!"])).run_once("?")
    begin, end = lines.records
    assert (begin.name, begin.levelname) == ("asm.recording", "INFO")
    assert end.getMessage().startswith(
        f"run completed run={result.run_id} session={result.session_id} provider=fake seconds="
    )
    assert end.__dict__["asm"]["tokens"] == 15


def test_tries_and_failures_are_warnings_without_content(store: SessionStore, lines: pytest.LogCaptureFixture) -> None:
    retry = asm.RetryPolicy(attempts=2, initial=0)
    with pytest.raises(asm.ProviderRateLimitedError):
        SessionManager(store, FakeProvider([LIMITED, LIMITED]), retry=retry).run_once("my secret")
    assert facts(lines) == ["run started", "provider error, will retry", "run failed"]
    assert [record.levelname for record in lines.records[1:]] == ["WARNING", "WARNING"]
    assert lines.records[2].__dict__["asm"]["code"] == "provider_rate_limited"
    assert "secret" not in lines.text


def test_violations_cancellations_and_abandoned_runs_are_logged(
    store: SessionStore, lines: pytest.LogCaptureFixture
) -> None:
    provider = FakeProvider(["Hi!", FakeTurn(text="one two", delay=20)])
    manager = SessionManager(store, provider, policies=[asm.Budget(tokens=1, action="warn")])
    session_id = manager.start_session().id
    manager.run(session_id, "?")
    with manager.stream(session_id, "?") as stream:
        run_id = next(stream).run_id or ""
        SessionManager(store, FakeProvider([])).cancel_run(run_id)
        with pytest.raises(asm.ProviderError):
            list(stream)
    stamp = {**make_stamp(), "boot": "the one before"}
    store.save_run(asm.Run.new(session_id=session_id, status="running", metadata={"asm": stamp}))
    asm.close_abandoned(store)
    assert {"policy violation", "cancellation requested", "run cancelled", "closed as abandoned"} <= set(facts(lines))


def test_maintenance_and_migrations_are_logged(tmp_path: Any, lines: pytest.LogCaptureFixture) -> None:
    with asm.open_backend("sqlmodel", url=f"sqlite:///{tmp_path}/asm.db", migrate=True) as backend:
        backend.maintenance.execute(asm.RetentionPolicy())
    assert facts(lines) == ["migrating schema", "maintenance done"]


def test_a_field_is_one_word_on_one_line(lines: pytest.LogCaptureFixture) -> None:
    logs.warning("recording", "fact", id="a\nb c", empty=None)
    assert lines.records[0].getMessage() == 'fact id="a\\nb c"'


def test_nothing_is_printed_without_a_handler() -> None:
    code = "from asm_core import logs; logs.warning('recording', 'closed as abandoned', id='x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=True)
    assert (done.stdout, done.stderr) == ("", "")
