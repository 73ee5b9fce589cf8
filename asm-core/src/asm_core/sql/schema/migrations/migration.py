"""The type of a migration."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from asm_core.sql.dialects import Dialect


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered change of the schema: the statements that apply it and those that revert it, per dialect.

    Their fields, as ``{sessions}``, stand for the tables of `Words`.
    """

    version: int
    name: str
    up: Mapping[Dialect, tuple[str, ...]]
    down: Mapping[Dialect, tuple[str, ...]]
