"""One line of the log for each fact that an operator needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asm_core.escaping import visible

if TYPE_CHECKING:
    from logging import Logger


def info(room: str, what: str, **fields: Any) -> None:
    """Log a normal fact."""
    _log(20, room, what, fields)


def warning(room: str, what: str, **fields: Any) -> None:
    """Log a fact that an operator may have to act on."""
    _log(30, room, what, fields)


def _log(level: int, room: str, what: str, fields: dict[str, Any]) -> None:
    """Log a line to ``asm.<room>``: the fact, then its fields as ``name=value``; None is left out.

    The record has the fields as the dict `asm` too, for handlers that write JSON. Content never goes here: only ids,
    codes and numbers.
    """
    logger = _logger(room)
    if logger.isEnabledFor(level):
        known = {name: value for name, value in fields.items() if value is not None}
        text = " ".join([what, *(f"{name}={_shown(value)}" for name, value in known.items())])
        logger.log(level, "%s", text, extra={"asm": {"event": what, **known}})


def _logger(room: str) -> Logger:
    import logging  # noqa: PLC0415  programs that only store and read start faster

    root = logging.getLogger("asm")
    if not root.handlers:
        # Without a handler, Python prints warnings: that is for the application to decide.
        root.addHandler(logging.NullHandler())
    return logging.getLogger(f"asm.{room}")


def _shown(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else visible(str(value))
    return f'"{text}"' if " " in text else text
