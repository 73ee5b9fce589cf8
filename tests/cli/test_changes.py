"""``asm delete``, ``undelete``, ``title``, ``tag``, ``fork`` and ``erase``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from asm_core import user_namespace
from asm_core.errors import SessionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from asm_core.models import Session
    from asm_core.ports import Backend


def test_a_deleted_session_can_be_restored(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill()
    result = asm("delete", "last")
    assert result.stdout == f"Deleted {session.id} (agent). To restore it, run `asm undelete {session.id}`.\n"
    assert backend.session_store.get_session(session.id).deleted_at is not None
    assert asm("undelete", session.id[-8:]).stdout == f"Restored {session.id} (agent).\n"
    assert backend.session_store.get_session(session.id) == session
    assert asm("undelete", session.id[-8:]).stdout == f"{session.id} (agent) is not deleted.\n"


def test_a_permanent_deletion_asks_first(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(3)
    asked = asm("delete", "last", "--permanently", given="n\n")
    assert asked.exit_code == 1
    assert f"Remove {session.id} (agent) and its 3 events permanently?" in asked.stderr
    assert asm("delete", "last", "--permanently", given="").exit_code == 1
    assert backend.session_store.get_session(session.id) == session
    assert asm("delete", "last", "--permanently", "--yes").stdout == f"Removed {session.id} (agent) permanently.\n"
    with pytest.raises(SessionNotFoundError):
        backend.session_store.get_session(session.id)


def test_a_title_is_set_and_removed(asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend) -> None:
    session = fill()
    assert asm("title", "last", "A plan").stdout == f"{session.id} has the title 'A plan'.\n"
    assert backend.session_store.get_session(session.id).title == "A plan"
    assert asm("title", "last", "").stdout == f"{session.id} has no title.\n"
    assert backend.session_store.get_session(session.id).title is None


def test_tags_are_added_and_removed(asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend) -> None:
    session = fill(tags=["one"])
    assert asm("tag", "last").stdout == "one\n"
    assert backend.session_store.get_session(session.id) == session
    assert asm("tag", "last", "two", "three", "two").stdout == "one\ntwo\nthree\n"
    assert asm("tag", "last", "four", "--remove", "one", "-r", "three", "-r", "unknown").stdout == "two\nfour\n"
    assert backend.session_store.get_session(session.id).tags == ("two", "four")


def test_a_fork_has_the_events_up_to_a_number(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(5)
    result = asm("fork", session.id, "--at", "2")
    fork = backend.session_store.get_session(result.stdout.strip())
    assert fork.parent_session_id == session.id
    assert len(backend.session_store.get_events(fork.id)) == 2
    assert result.stderr == f"Forked {session.id} (agent): 2 events.\n"
    assert asm("fork", session.id, "--at", "6").exit_code == 1


def test_a_user_is_erased_after_a_confirmation(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    fill(2, user_id="ann")
    kept, deleted = fill(user_id="bob"), fill(1, user_id="ann")
    backend.maintenance.soft_delete_session(deleted.id)
    asked = asm("erase", "ann", given="n\n")
    assert asked.exit_code == 1
    assert "Remove 2 sessions of the user 'ann' permanently?" in asked.stderr
    assert asm("erase", "ann", given="y\n").stdout.endswith("Removed 2 sessions and 3 events permanently.\n")
    assert [one.id for one in backend.session_store.list_sessions()] == [kept.id]
    again = asm("erase", "ann", given="y\n")
    assert again.stderr.startswith("The user 'ann' has no sessions and no state.")
    assert again.stdout.endswith("Nothing belongs to the user 'ann'. Nothing was changed.\n")
    for name in ("bob", "cid"):
        backend.state_store.put(user_namespace(name, "preferences"), "color", "red")
    assert "Remove 0 sessions and the state of the user 'cid' permanently?" in asm("erase", "cid", given="n\n").stderr
    done = asm("erase", "bob", "--yes").stdout
    assert done == "Removed 1 session and 3 events, and 1 record of state permanently.\n"
    assert backend.state_store.list_namespaces().items == ["user:cid:preferences"]
    assert asm("erase", "bob", "--yes").stdout == "Nothing belongs to the user 'bob'. Nothing was changed.\n"


def test_expired_records_are_erased_after_a_confirmation(asm: Callable[..., Result], backend: Backend) -> None:
    backend.state_store.put(user_namespace("ann"), "color", "red", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert asm("erase", "ann", given="n\n").exit_code == 1
    assert (
        asm("erase", "ann", "--yes").stdout == "Removed 0 sessions and 0 events, and 1 record of state permanently.\n"
    )


def test_a_question_without_an_answer_names_the_option(
    asm: Callable[..., Result], fill: Callable[..., Session], backend: Backend
) -> None:
    session = fill(user_id="ann")
    for arguments in (("delete", "last", "--permanently"), ("erase", "ann")):
        result = asm(*arguments, given="")
        assert result.exit_code == 1
        assert result.stderr.endswith(" To confirm without a question, add --yes.\nNothing was changed.\n")
        assert asm(*arguments, given="n\n").stderr.endswith("Nothing was changed.\n")
    assert backend.session_store.get_session(session.id) == session


def test_the_last_tag_is_removed_with_a_message(asm: Callable[..., Result], fill: Callable[..., Session]) -> None:
    session = fill(tags=["one"])
    result = asm("tag", "last", "-r", "one")
    assert (result.stdout, result.stderr) == ("", f"{session.id} (agent) has no tags.\n")


@pytest.mark.parametrize(
    "arguments",
    [("delete",), ("undelete",), ("title", "last"), ("tag",), ("fork",), ("erase",), ("fork", "x", "--at", "-1")],
)
def test_a_change_needs_its_arguments(asm: Callable[..., Result], backend: Backend, arguments: tuple[str, ...]) -> None:
    assert backend.name
    result = asm(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_names_in_messages_cannot_command_the_terminal(
    asm: Callable[..., Result], fill: Callable[..., Session]
) -> None:
    fill(agent_id="\x1b[2J", user_id="\x1b[3J")
    shown = [
        asm("delete", "last", "--permanently", given="n\n"),
        asm("erase", "\x1b[3J", given="n\n"),
        asm("fork", "last"),
    ]
    shown += [asm("title", "last", "\x1b[4J"), asm("tag", "last", "\x1b[5J"), asm("delete", "last")]
    assert not any("\x1b" in result.output for result in shown)
