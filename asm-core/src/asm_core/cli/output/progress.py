"""Progress of long work, on a terminal only."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from asm_core.cli.output import printing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asm_core.ports import Progress


@contextlib.contextmanager
def shown_progress(
    names: Mapping[str, str] | None = None, *, total: int | None = None, quiet: bool = False
) -> Iterator[Progress]:
    """Yield a function that advances a step by a number; on a terminal, each step has a line while the work lasts.

    Args:
        names: the text of each step; a step without one is shown by its own name.
        total: the number at which a step is complete, if that is known.
        quiet: show nothing.
    """
    if quiet or not printing.on_terminal():
        yield lambda _step, _count: None
        return
    from rich import progress  # noqa: PLC0415  only on a terminal

    columns: list[progress.ProgressColumn] = [progress.TextColumn("{task.completed:,.0f} {task.description}")]
    columns += [progress.BarColumn(), progress.TimeRemainingColumn()] if total else []
    with progress.Progress(*columns, progress.TimeElapsedColumn(), console=printing.console(), transient=True) as bar:
        tasks: dict[str, progress.TaskID] = {}

        def advance(step: str, count: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task((names or {}).get(step, step), total=total)
            bar.advance(tasks[step], count)

        yield advance


@contextlib.contextmanager
def shown_work(text: str, *, quiet: bool = False) -> Iterator[None]:
    """On a terminal, show a text and the time that passes while the work lasts.

    Args:
        text: what is done; for work whose extent is unknown.
        quiet: show nothing.
    """
    if quiet or not printing.on_terminal():
        yield
        return
    from rich import progress  # noqa: PLC0415  only on a terminal

    columns = (progress.SpinnerColumn(), progress.TextColumn("{task.description}"), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=printing.console(), transient=True) as bar:
        bar.add_task(text, total=None)
        yield
