"""The records of state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asm_core.querying.prefixes import end_of_prefix
from asm_core.sql.queries.saves import insertion
from asm_core.sql.queries.where import Statement, Where, limit
from asm_core.sql.schema.tables import STATE_COLUMNS
from asm_core.values.times import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from asm_core.models.state_record import StateRecord
    from asm_core.sql.queries.words import Words


class StateQueries:
    """The statements of the state store, in one dialect."""

    def __init__(self, words: Words) -> None:
        """Use the syntax of `words`."""
        self._words = words
        self._select = f"SELECT {words.selected['k']} FROM {words.state} k"
        expired = "(k.expires_at IS NOT NULL AND k.expires_at <= excluded.updated_at)"
        upsert = f"{insertion(words.state, 'k', STATE_COLUMNS, words)} ON CONFLICT (namespace, key) DO UPDATE SET "
        self._put = (
            f"{upsert}value = excluded.value, updated_at = excluded.updated_at, expires_at = excluded.expires_at, "
            f"revision = CASE WHEN {expired} THEN 1 ELSE k.revision + 1 END, "
            f"created_at = CASE WHEN {expired} THEN excluded.created_at ELSE k.created_at END"
        )
        self._restore = upsert + ", ".join(f"{column} = excluded.{column}" for column in STATE_COLUMNS[2:])
        self._expired = expired
        # The values are parameters, so the text is the same for all.
        where = self._of("", "")
        self._alive(where, utc_now())
        self._live = where.statement(f"{self._select} {where}").sql
        self._returning = f" RETURNING revision, created_at{words.utc}"

    def live(self, namespace: str, key: str, now: datetime) -> Statement:
        """Select a record that has not expired."""
        return Statement(self._live, (namespace, key, self._words.codec.encode(now)))

    def put(self, record: StateRecord, expected: int | None) -> Statement:
        """Store a record if its revision is as expected; the statement returns the revision and the creation."""
        if expected:
            return self._replace(record, expected)
        only = "" if expected is None else f" WHERE {self._expired}"
        return Statement(self._put + only + self._returning, self._words.codec.state_row(record))

    def restore(self, record: StateRecord, expected: int, now: datetime) -> Statement:
        """Store a record as it is, if the stored revision is as expected; the statement returns its key."""
        row, at = self._words.codec.state_row(record), self._words.codec.encode(now)
        mark = self._words.mark
        if not expected:
            only = f" WHERE k.expires_at IS NOT NULL AND k.expires_at <= {mark} RETURNING key"
            return Statement(self._restore + only, (*row, at))
        where = self._of(record.namespace, record.key)
        where.compare("k.revision =", expected)
        self._alive(where, now)
        values = ", ".join(f"{column} = {mark}" for column in STATE_COLUMNS[2:])
        return Statement(
            f"UPDATE {self._words.state} AS k SET {values} {where} RETURNING key", (*row[2:], *where.parameters)
        )

    def delete(self, namespace: str, key: str, expected: int | None, now: datetime) -> Statement:
        """Remove a record that has not expired, if its revision is as expected; the statement returns its key."""
        where = self._of(namespace, key)
        where.compare("k.revision =", expected)
        self._alive(where, now)
        return where.statement(f"DELETE FROM {self._words.state} AS k {where} RETURNING key")

    def find(self, namespace: str, prefix: str, after: str | None, now: datetime, most: int) -> Statement:
        """Select the first records of a namespace by key."""
        where = Where(self._words)
        where.compare("k.namespace =", namespace)
        self._begins(where, "k.key", prefix, after)
        self._alive(where, now)
        return where.statement(f"{self._select} {where} ORDER BY k.key {limit(most)}")

    def namespaces(self, prefix: str, after: str | None, now: datetime, most: int) -> Statement:
        """Select the first namespaces, each by one search in the index, whatever the number of its records."""
        first, next_one = Where(self._words), Where(self._words)
        self._begins(first, "k.namespace", prefix, after)
        next_one.add("k.namespace > n.name")
        next_one.compare("k.namespace <", end_of_prefix(prefix))
        for where in (first, next_one):
            self._alive(where, now)
        find = f"SELECT k.namespace FROM {self._words.state} k"
        order = f"ORDER BY k.namespace {limit(1)}"
        # https://wiki.postgresql.org/wiki/Loose_indexscan
        return Statement(
            f"WITH RECURSIVE names (name, place) AS (SELECT ({find} {first} {order}), 1 UNION ALL "
            f"SELECT ({find} {next_one} {order}), n.place + 1 FROM names n "
            f"WHERE n.name IS NOT NULL AND n.place < {most}) "
            "SELECT n.name FROM names n WHERE n.name IS NOT NULL ORDER BY n.place",
            [*first.parameters, *next_one.parameters],
        )

    def remove(self, namespace: str, prefix: str, most: int) -> Statement:
        """Remove some records of a namespace; the statement returns their keys."""
        where = Where(self._words)
        where.compare("k.namespace =", namespace)
        self._begins(where, "k.key", prefix, None)
        keys = f"SELECT k.key FROM {self._words.state} k {where} ORDER BY k.key {limit(most)}"
        return Statement(
            f"DELETE FROM {self._words.state} AS d WHERE d.namespace = {self._words.mark} AND d.key IN ({keys}) "
            "RETURNING key",
            [namespace, *where.parameters],
        )

    def count_expired(self, at: datetime) -> Statement:
        """Count the records that have expired."""
        where = self._expired_at(at)
        return where.statement(f"SELECT count(*) FROM {self._words.state} k {where}")

    def remove_expired(self, at: datetime, most: int) -> Statement:
        """Remove some records that have expired, the oldest first; the statement returns their keys.

        It passes over rows that another transaction has locked: it would wait for their writer, maybe in a cycle.
        """
        where, row, state = self._expired_at(at), self._words.row, self._words.state
        lock = self._words.locking("UPDATE SKIP LOCKED")
        found = f"SELECT k.{row} FROM {state} k {where} ORDER BY k.expires_at {limit(most)}{lock}"
        return where.statement(
            f"DELETE FROM {state} AS d WHERE d.{row} {self._words.one_found.format(found)} RETURNING key"
        )

    def _expired_at(self, at: datetime) -> Where:
        where = Where(self._words)
        where.compare("k.expires_at <=", at)
        return where

    def remove_namespaces(self, prefix: str, most: int) -> Statement:
        """Remove some records of the namespaces that begin with a prefix; the statement returns their keys."""
        where, state = Where(self._words), self._words.state
        self._begins(where, "k.namespace", prefix, None)
        found = f"SELECT k.namespace, k.key FROM {state} k {where} ORDER BY k.namespace, k.key {limit(most)}"
        return where.statement(f"DELETE FROM {state} AS d WHERE (d.namespace, d.key) IN ({found}) RETURNING key")

    def _replace(self, record: StateRecord, expected: int) -> Statement:
        mark, encode = self._words.mark, self._words.codec.encode
        row = self._words.codec.state_row(record)
        return Statement(
            f"UPDATE {self._words.state} AS k SET value = {mark}, revision = k.revision + 1, updated_at = {mark}, "
            f"expires_at = {mark} WHERE k.namespace = {mark} AND k.key = {mark} AND k.revision = {mark} "
            f"AND (k.expires_at IS NULL OR k.expires_at > {mark}){self._returning}",
            (row[2], row[5], row[6], record.namespace, record.key, expected, encode(record.updated_at)),
        )

    def _of(self, namespace: str, key: str) -> Where:
        where = Where(self._words)
        where.compare("k.namespace =", namespace)
        where.compare("k.key =", key)
        return where

    def _alive(self, where: Where, now: datetime) -> None:
        where.add(f"(k.expires_at IS NULL OR k.expires_at > {self._words.mark})", self._words.codec.encode(now))

    @staticmethod
    def _begins(where: Where, column: str, prefix: str, after: str | None) -> None:
        where.compare(f"{column} >=", prefix or None)
        where.compare(f"{column} <", end_of_prefix(prefix))
        where.compare(f"{column} >", after)
