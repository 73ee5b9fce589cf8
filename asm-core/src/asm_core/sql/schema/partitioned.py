"""The copy of a PostgreSQL table that is partitioned, with all that the table has: keys, indexes, owner, privileges.

A reader whose snapshot is older than the copy must not find it empty: one at REPEATABLE READ, or one that waited for
the end with a statement of PREPARE. So the rows are frozen, which makes them visible to all snapshots. Only COPY can do
that, from the client to a single partition. Therefore the rows pass through this process.
"""

from __future__ import annotations

from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from asm_core.sql.dialects import Execute

_INDEXES: Final = (
    "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = '{table}'::regclass "
    "AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid) "
    "ORDER BY i.indexrelid"
)
_CONSTRAINTS: Final = (
    "SELECT quote_ident(c.conname), CASE c.contype WHEN 'p' THEN 'PRIMARY KEY (session_id, id)' "
    "ELSE pg_get_constraintdef(c.oid) END FROM pg_constraint c WHERE c.conrelid = '{table}'::regclass "
    "AND c.contype IN ('p', 'u', 'f', 'c') ORDER BY c.oid"
)
_OWNER: Final = (
    "SELECT quote_ident(pg_get_userbyid(c.relowner)), pg_get_userbyid(c.relowner) = current_user "
    "FROM pg_class c WHERE c.oid = '{table}'::regclass"
)
# A grantee of 0 is everyone. Without a list, only the owner has privileges.
_GRANTS: Final = """\
SELECT g.privilege_type || g.columns,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, g.is_grantable
FROM (
    SELECT a.privilege_type, '' AS columns, a.grantee, a.is_grantable
    FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{table}'::regclass
    UNION ALL
    SELECT a.privilege_type, ' (' || quote_ident(t.attname) || ')', a.grantee, a.is_grantable
    FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = '{table}'::regclass
) g"""

_BLOCK: Final = 1 << 18


class Copy:
    """Replaces one table by its partitioned copy, in the caller's transaction, which has locked it."""

    def __init__(self, execute: Execute, place: str, name: str) -> None:
        """Read what the table has.

        Args:
            execute: executes a statement.
            place: the schema of the table, quoted.
            name: the name of the table.
        """
        self._execute = execute
        self._place, self._name = place, name
        self._table = f"{place}.{name}"
        self._indexes = self._read(_INDEXES)
        self._constraints = self._read(_CONSTRAINTS)
        self._grants = self._read(_GRANTS)
        [(self._owner, self._is_own)] = self._read(_OWNER)

    def make(self, count: int) -> None:
        """Create the copy with `count` partitions, fill it, and drop the table.

        Indexes are built after the rows are copied, which is faster, and after the table is dropped, whose indexes have
        the same names.
        """
        execute, table, old = self._execute, self._table, f"{self._name}_unpartitioned"
        execute(f"ALTER TABLE {table} RENAME TO {old}")
        old, divided = f"{self._place}.{old}", f"{table}_divided"
        parts, sources = self._split(table, old, count), self._split(divided, old, count, kind="UNLOGGED")
        execute(f"INSERT INTO {divided} SELECT * FROM {old}")
        cursor: Any = execute("SELECT 1")
        for source, part in zip(sources, parts, strict=True):
            _copy_frozen(cursor.connection, source, part)
        execute(f"DROP TABLE {divided}, {old}")
        for name, definition in self._constraints:
            execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for (definition,) in self._indexes:
            execute(definition)
        for privilege, grantee, is_grantable in self._grants:
            option = " WITH GRANT OPTION" if is_grantable else ""
            execute(f"GRANT {privilege} ON {table} TO {grantee}{option}")
        if not self._is_own:
            for one in (table, *parts):
                execute(f"ALTER TABLE {one} OWNER TO {self._owner}")

    def _split(self, table: str, like: str, count: int, *, kind: str = "") -> list[str]:
        """Create a table with `count` partitions; return their names."""
        self._execute(f"CREATE TABLE {table} (LIKE {like} INCLUDING DEFAULTS) PARTITION BY HASH (session_id)")
        parts = [f"{table}_p{place}" for place in range(count)]
        for place, part in enumerate(parts):
            bounds = f"FOR VALUES WITH (MODULUS {count}, REMAINDER {place})"
            self._execute(f"CREATE {kind} TABLE {part} PARTITION OF {table} {bounds}")
        return parts

    def _read(self, question: str) -> list[Any]:
        return self._execute(question.replace("{table}", self._table)).fetchall()


def _copy_frozen(driver: Any, source: str, target: str) -> None:
    """Copy all rows to a table that this transaction created, visible to all snapshots."""
    out, into = f"COPY {source} TO STDOUT (FORMAT binary)", f"COPY {target} FROM STDIN (FORMAT binary, FREEZE)"
    with TemporaryFile() as file, driver.cursor() as cursor:
        if hasattr(cursor, "copy_expert"):  # psycopg2
            cursor.copy_expert(out, file)
            file.seek(0)
            cursor.copy_expert(into, file)
            return
        with cursor.copy(out) as copy:
            for block in copy:
                file.write(block)
        file.seek(0)
        with cursor.copy(into) as copy:
            while block := file.read(_BLOCK):
                copy.write(block)
