"""A sound backend that can do what neither the one in memory nor the one in a file can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from file_backend import TABLES, FileBackend

from asm_core import Capability, ValidationError

if TYPE_CHECKING:
    from pathlib import Path


class MigratingFile(FileBackend):
    """A file that has versions, of which the last knows artifacts."""

    capabilities = FileBackend.capabilities | {Capability.MIGRATIONS}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path.with_name("version")
        self.migrate()

    def schema_version(self) -> int:
        with self._state.lock:
            return int(self._path.read_text()) if self._path.exists() else 0

    def migrate(
        self, version: int | None = None, *, partitions: int | None = None, text_search: bool | None = None
    ) -> list[int]:
        if partitions is not None:
            raise ValidationError("A file has no partitions.")
        if text_search is not None and text_search is not False:
            raise ValidationError("A file has no text index.")
        with self._state.transaction():
            current, target = self.schema_version(), 2 if version is None else version
            for name in TABLES[:-1] if target == 0 else TABLES[-2:-1] if target < current else ():
                table = getattr(self._state, name)
                for key in list(table):
                    self._state.drop(table, key)
            new = self._path.with_suffix(".new")
            new.write_text(str(target))
            new.replace(self._path)  # a killed process leaves the old version or the new one
            return list(range(current + 1, target + 1) if target > current else range(current, target, -1))
