"""Settings of a configuration file that concern neither the store nor a provider."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from asm_core.config.stores import beside, config_file
from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from asm_core.config.files import ConfigFile

_RETENTION: Final = "retention"
_ARCHIVE: Final = "archive_store"
_REDACTION: Final = "redaction"
_REDACTION_KEYS: Final = ("enabled", "environment", "patterns", "replacement")


class RedactionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How commands redact.

    Attributes:
        enabled: whether they do, if the command line names neither.
        options: the arguments of `asm_core.Redactor`, unchecked.
        place: the file, for messages.
    """

    enabled: bool = False
    options: dict[str, Any] = {}
    place: str = ""


def default_name(key: Literal["agent", "user"], config: str | os.PathLike[str] | None = None) -> str | None:
    """Return the default agent or user of recorded sessions.

    It is that of the environment (``ASM_AGENT``, ``ASM_USER``), else of the file that `resolve_store` reads.

    Raises:
        ValidationError: the value is no string, or the file is not valid or not trusted with it.
    """
    if given := os.environ.get(f"ASM_{key.upper()}"):
        return given
    found = _trusted(config_file(config), key)
    if found is not None and not isinstance(found, str):
        message = f"{key} in the configuration file must be a string, not {short_repr(found)}."
        raise ValidationError(message)
    return found


def configured_retention(config: str | os.PathLike[str] | None = None) -> dict[str, Any] | None:
    """Return the table ``[retention]`` of the file that `resolve_store` reads; None if it has none.

    In a file above the working directory, a relative SQLite path of ``archive_store`` is relative to the file.

    Raises:
        ValidationError: it is no table, or the file is not valid or not trusted with it.
    """
    file = config_file(config)
    found = _trusted(file, _RETENTION)
    if found is None:
        return None
    if not isinstance(found, dict):
        message = f"retention in {file and file.path} must be a table, not {short_repr(found)}."
        raise ValidationError(message)
    place = found.get(_ARCHIVE)
    return {**found, _ARCHIVE: beside(file, place)} if isinstance(place, str) else found


def configured_redaction(config: str | os.PathLike[str] | None = None) -> RedactionConfig:
    """Return the table ``[redaction]`` of the file that `resolve_store` reads; ``redaction = true`` is an empty one.

    A table enables redaction, unless it has ``enabled = false``.

    Raises:
        ValidationError: it is no table, has an unknown key, or the file is not valid or not trusted with it.
    """
    file = config_file(config)
    found = _trusted(file, _REDACTION)
    if file is None or found is None:
        return RedactionConfig()
    table = {"enabled": found} if isinstance(found, bool) else found
    if not isinstance(table, dict):
        message = f"redaction in {file.path} must be a table, true or false, not {short_repr(found)}."
        raise ValidationError(message)
    unknown = sorted(set(table) - set(_REDACTION_KEYS))
    if unknown:
        message = f"[redaction] in {file.path} has no key {unknown[0]!r}. Its keys are {', '.join(_REDACTION_KEYS)}."
        raise ValidationError(message)
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        message = f"redaction.enabled in {file.path} must be true or false, not {short_repr(enabled)}."
        raise ValidationError(message)
    options = {key: value for key, value in table.items() if key != "enabled"}
    return RedactionConfig(enabled=enabled, options=options, place=str(file.path))


def _trusted(file: ConfigFile | None, key: str) -> Any:
    if file is None or key not in file.table:
        return None
    if file.distrust is not None:
        message = (
            f"{file.path} is not trusted, because {file.distrust}, but contains {key}. If you trust it, name it: "
            f"--config {file.path}, or ASM_CONFIG={file.path}."
        )
        raise ValidationError(message, details={"file": str(file.path), "keys": [key]})
    return file.table[key]
