"""Runs and events as tables that PostgreSQL partitions by a hash of the session.

A unique key of a partitioned table includes the session, so an event id is unique only in its session. The id of a run
stays unique in the store: triggers keep all run ids in a table of their own, and an insertion with the id of a run of
another session stores nothing, as in tables that are not partitioned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asm_core import logs
from asm_core.errors import StorageError, ValidationError, short_repr
from asm_core.sql.dialects import Dialect
from asm_core.sql.schema.partitioned import Copy

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute
    from asm_core.sql.queries.words import Words

MOST_PARTITIONS: Final = 1024
_COUNT: Final = (
    "SELECT count(i.inhrelid), count(DISTINCT p.partrelid) FROM pg_partitioned_table p "
    "LEFT JOIN pg_inherits i ON i.inhparent = p.partrelid WHERE p.partrelid = '{events}'::regclass"
)
_PLACE: Final = (
    "SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.oid = '{events}'::regclass"
)
# A reader locks events before sessions, a writer sessions before events. So this never waits long for one lock while it
# holds another: after a moment it releases all, and tries again. The pauses are longer than the waits.
_LOCK: Final = """\
DO $$
DECLARE
    patience text := current_setting('lock_timeout');
BEGIN
    FOR attempt IN 1..300 LOOP
        BEGIN
            SET LOCAL lock_timeout = '300ms';
            LOCK TABLE {sessions}, {runs}, {events} IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = 300 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.5 + random() / 2);
        END;
    END LOOP;
    PERFORM set_config('lock_timeout', patience, true);
END $$"""
_RUN_IDS: Final = (
    """\
CREATE TABLE {place}.asm_run_ids (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL
)""",
    "INSERT INTO {place}.asm_run_ids (id, session_id) SELECT r.id, r.session_id FROM {place}.asm_runs r",
    # With the rights of the owner, so that other roles need none on the table.
    """\
CREATE FUNCTION {place}.asm_claim_run_id() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO {place}.asm_run_ids (id, session_id) VALUES (NEW.id, NEW.session_id) ON CONFLICT (id) DO NOTHING;
    IF FOUND OR EXISTS (SELECT FROM {place}.asm_run_ids i WHERE i.id = NEW.id AND i.session_id = NEW.session_id) THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END $$""",
    """\
CREATE FUNCTION {place}.asm_release_run_id() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM {place}.asm_run_ids i WHERE i.id = OLD.id AND i.session_id = OLD.session_id;
    RETURN NULL;
END $$""",
    "CREATE TRIGGER asm_claim_run_id BEFORE INSERT ON {place}.asm_runs "
    "FOR EACH ROW EXECUTE FUNCTION {place}.asm_claim_run_id()",
    "CREATE TRIGGER asm_release_run_id AFTER DELETE ON {place}.asm_runs "
    "FOR EACH ROW EXECUTE FUNCTION {place}.asm_release_run_id()",
    "CREATE INDEX asm_runs_by_id ON {place}.asm_runs (id)",
)
DROPPED: Final = (
    "DROP FUNCTION IF EXISTS {place}asm_claim_run_id(), {place}asm_release_run_id()",
    "DROP TABLE IF EXISTS {place}asm_run_ids",
)
"""What removes the rest of a partitioned store after its tables."""


def check_partitions(value: object, dialect: Dialect) -> int:
    """Return `value` if a store can have this number of partitions.

    Raises:
        ValidationError: the number is invalid, or the database is SQLite.
    """
    if dialect is Dialect.SQLITE:
        message = "SQLite has no partitions. Leave partitions out, or use a PostgreSQL database."
        raise ValidationError(message)
    if isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= MOST_PARTITIONS:  # noqa: PLR2004
        message = f"partitions must be an integer from 2 to {MOST_PARTITIONS}, not {short_repr(value)}."
        raise ValidationError(message)
    return value


def partition(execute: Execute, words: Words, count: int) -> None:
    """Replace runs and events by partitioned tables with the same rows; a store that is partitioned is left alone.

    The caller holds a transaction that excludes migrations, and the schema has the newest version. Until its end no
    other transaction can read or write the tables.

    Raises:
        ValidationError: the store has another number of partitions.
        StorageError: the application added something to a table that the new one would not have.
    """
    partitions, is_partitioned = execute(_COUNT.format(**words.tables)).fetchall()[0]
    if is_partitioned:
        _check_same(partitions, count)
        return
    logs.info("schema", "partitioning tables", partitions=count)
    execute(_LOCK.format(**words.tables))
    [(place,)] = execute(_PLACE.format(**words.tables)).fetchall()
    for name in ("asm_runs", "asm_events"):
        _refuse_additions(execute, f"{place}.{name}")
        Copy(execute, place, name).make(count)
    for statement in _RUN_IDS:
        execute(statement.replace("{place}", place))
    for name in ("asm_runs", "asm_events"):
        execute(f"ANALYZE {place}.{name}")


def _check_same(found: int, wanted: int) -> None:
    if found != wanted:
        message = (
            f"The store has {found} partitions, and their number cannot change to {wanted}. Export the sessions with "
            "`asm export`, and import them into a new store."
        )
        raise ValidationError(message)


def _refuse_additions(execute: Execute, table: str) -> None:
    """Refuse to drop what an application added to a table; views and foreign keys the server refuses to drop."""
    found: list[Any] = execute(_ADDITIONS.replace("{table}", table)).fetchall()
    if found:
        kinds = ", ".join(f"{kind} {name}" for kind, name in found)
        message = (
            f"The table {table} has additions that partitioning would drop: {kinds}. Drop them first, and create them "
            "again afterwards. Nothing was changed."
        )
        raise StorageError(message)


_ADDITIONS: Final = """\
SELECT 'trigger', t.tgname::text FROM pg_trigger t WHERE t.tgrelid = '{table}'::regclass AND NOT t.tgisinternal
UNION ALL SELECT 'policy', p.polname::text FROM pg_policy p WHERE p.polrelid = '{table}'::regclass
UNION ALL SELECT 'rule', r.rulename::text FROM pg_rewrite r WHERE r.ev_class = '{table}'::regclass
UNION ALL SELECT 'publication', p.pubname::text FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
WHERE r.prrelid = '{table}'::regclass
ORDER BY 1, 2"""
