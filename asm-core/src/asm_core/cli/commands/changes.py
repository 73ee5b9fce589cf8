"""``asm delete``, ``undelete``, ``title``, ``tag``, ``fork`` and ``erase``: changes of sessions."""

from typing import Annotated

import typer

from asm_core.cli.output import printing
from asm_core.cli.output.text import counted
from asm_core.cli.parsing.arguments import SessionArgument
from asm_core.cli.parsing.confirming import YesOption, confirm, note_erasure
from asm_core.cli.parsing.finding import find_session
from asm_core.cli.parsing.store import with_backend
from asm_core.escaping import short_repr, visible
from asm_core.models import Session
from asm_core.ports import Backend
from asm_core.values.user_namespaces import user_prefix


@with_backend
def delete_session(
    backend: Backend,
    session: SessionArgument,
    *,
    permanently: Annotated[
        bool, typer.Option("--permanently", help="Remove it with all its records at once; this cannot be undone.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Delete a session.

    A deleted session is not listed and accepts no events. `asm undelete` restores it, until `asm maintain` removes it:
    30 days later by default. With --permanently, the session is removed at once, after a confirmation.
    """
    found = find_session(backend, session)
    if not permanently:
        backend.maintenance.soft_delete_session(found.id)
        printing.line(f"Deleted {_name(found)}. To restore it, run `asm undelete {found.id}`.")
        return
    events = backend.query_api.get_session_stats(found.id).event_count
    confirm(f"Remove {visible(_name(found))} and its {counted(events, 'event')} permanently?", yes=yes)
    backend.session_store.delete_session(found.id)
    printing.line(f"Removed {_name(found)} permanently.")
    note_erasure(is_finished=backend.maintenance.finish_erasure())


@with_backend
def undelete_session(backend: Backend, session: SessionArgument) -> None:
    """Restore a deleted session.

    `asm sessions --deleted` lists deleted sessions too.
    """
    found = find_session(backend, session)
    backend.maintenance.undelete_session(found.id)
    printing.line(f"Restored {_name(found)}." if found.deleted_at else f"{_name(found)} is not deleted.")


@with_backend
def set_title(
    backend: Backend,
    session: SessionArgument,
    title: Annotated[str, typer.Argument(metavar="TEXT", help='The title; "" removes it.')],
) -> None:
    """Set the title of a session."""
    found = find_session(backend, session)
    backend.session_store.update_session(found.id, lambda stored: stored.with_title(title or None))
    printing.line(f"{found.id} has the title {short_repr(title)}." if title else f"{found.id} has no title.")


@with_backend
def change_tags(
    backend: Backend,
    session: SessionArgument,
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG", help="Tags to add.")] = None,
    *,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="A tag to remove; repeatable.")
    ] = None,
) -> None:
    """Add tags to a session, and remove others.

    Without tags, nothing changes. Prints the tags that the session has. Retention keeps sessions that are "pinned".
    """
    found = find_session(backend, session)

    def change(stored: Session) -> Session:
        kept = (tag for tag in (*stored.tags, *(tags or ())) if tag not in (remove or ()))
        return stored.with_tags(dict.fromkeys(kept))

    changed = backend.session_store.update_session(found.id, change) if tags or remove else found
    for tag in changed.tags:
        printing.line(tag)
    if not changed.tags:
        printing.note(f"{_name(changed)} has no tags.")


@with_backend
def fork_session(
    backend: Backend,
    session: SessionArgument,
    *,
    at: Annotated[
        int | None, typer.Option(min=0, metavar="NUMBER", help="The last event to copy; by default, all are copied.")
    ] = None,
) -> None:
    """Make a session that begins with the events of another, and print its id.

    The fork has the agent, user, title, metadata, context and tags of the original. Runs and artifacts are not copied.
    """
    found = find_session(backend, session)
    fork = backend.session_store.fork_session(found.id, at=at)
    printing.line(fork.id)
    events = backend.session_store.get_latest_sequence(fork.id)
    printing.note(f"Forked {_name(found)}: {counted(events, 'event')}.")


@with_backend
def erase_user(
    backend: Backend,
    user: Annotated[str, typer.Argument(metavar="USER", help="The id of the user.")],
    *,
    yes: YesOption = False,
) -> None:
    """Remove all sessions and state of a user permanently.

    All that belongs to the sessions is removed with them. This cannot be undone, and asks for confirmation. It includes
    deleted sessions, and those that retention exempts. An interrupted command continues when it is repeated. Artifact
    blobs, archives, exports and backups are not removed.
    """
    count = backend.query_api.search_sessions(user_id=user, include_deleted=True, limit=1, count=True).total_count
    has_state = len(backend.state_store.list_namespaces(prefix=user_prefix(user), limit=1)) > 0
    if count or has_state:
        removed = counted(count, "session") + (" and the state" if has_state else "")
        confirm(f"Remove {removed} of the user {short_repr(user)} permanently?", yes=yes)
    else:  # reads do not show expired records, nor what an interrupted command left
        confirm(f"The user {short_repr(user)} has no sessions and no state. Remove what may be left of both?", yes=yes)
    report = backend.maintenance.erase_user(user)
    if not report.sessions_hard_deleted and not report.records_removed:
        printing.line(f"Nothing belongs to the user {short_repr(user)}. Nothing was changed.")
        return
    sessions, events = counted(report.sessions_hard_deleted, "session"), counted(report.events_removed, "event")
    records = f", and {counted(report.records_removed, 'record')} of state" if report.records_removed else ""
    printing.line(f"Removed {sessions} and {events}{records} permanently.")
    note_erasure(is_finished=not report.erasure_pending)


def _name(session: Session) -> str:
    return f"{session.id} ({session.title or session.agent_id})"
