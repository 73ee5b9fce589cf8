"""Tools: Python callables that a model calls."""

from __future__ import annotations

import asyncio
import inspect
import threading
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from asm_core.concurrency.threads import begin_thread
from asm_core.errors import ValidationError, short_repr
from asm_core.providing.docstrings import read_docstring
from asm_core.providing.portable import portable_name
from asm_core.providing.signatures import Signature
from asm_core.values.payloads import Payload, check_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OUTPUT: Final = "tool_output"


class Tool:
    """A Python callable that a model calls: a function, a coroutine function, a method, an object with `__call__`.

    Attributes:
        name: its name for the model.
        description: what it does, for the model.
        parameters: the JSON schema of its parameters.
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, description: str | None = None
    ) -> None:
        """Describe `function` by its signature and its docstring.

        Args:
            function: the callable. Annotations may be all types of msgspec (`Literal`, dataclasses, `TypedDict`,
                enums, times, …) and models of Pydantic. ``Annotated[str, "text"]`` describes a parameter, as
                ``Args:`` in the docstring does.
            name: another name than that of the function.
            description: another description than that of the docstring.

        Raises:
            ValidationError: `function` is no callable, or its parameters have no JSON schema.
        """
        if not callable(function):
            message = f"A tool must be a callable, not {short_repr(function)}."
            raise ValidationError(message)
        found, parameters = read_docstring(inspect.getdoc(function))
        self.name = name or getattr(function, "__name__", None) or type(function).__name__
        if portable_name(self.name) != self.name:
            message = (
                f"A tool's name must be 1 to 64 letters, digits, _ and -, not {short_repr(self.name)}. Pass name=."
            )
            raise ValidationError(message)
        self.description = found if description is None else description
        self._function = function
        self._signature = Signature(function, parameters)

    @property
    def parameters(self) -> Payload:
        """The JSON schema of its parameters."""
        return self._signature.schema

    @classmethod
    def of(cls, tools: Iterable[Callable[..., Any] | Tool]) -> dict[str, Tool]:
        """Return tools by name.

        Raises:
            ValidationError: two have the same name.
        """
        named: dict[str, Tool] = {}
        for given in tools:
            tool = given if isinstance(given, Tool) else cls(given)
            if named.setdefault(tool.name, tool) is not tool:
                message = f"Two tools have the name {tool.name!r}. Pass Tool(function, name=...) for one."
                raise ValidationError(message)
        return named

    async def call(self, tool_input: object) -> Any:
        """Call the function with arguments from JSON, and return its result in JSON types.

        A function that is no coroutine function runs in a thread of its own. If the task is cancelled, the thread is
        left to end by itself.

        Raises:
            ValidationError: an argument has another type, or JSON cannot hold the result.
            Exception: any exception of the function.
        """
        try:
            arguments = self._signature.convert(tool_input)
        except msgspec.ValidationError as error:
            message = f"The arguments of {self.name} are invalid: {error}"
            raise ValidationError(message) from error
        call = partial(self._function, **arguments)
        result = call() if _is_async(self._function) else await _in_thread(call, self.name)
        return _to_json(await result if inspect.isawaitable(result) else result)


def _is_async(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


async def _in_thread(call: Callable[[], Any], name: str) -> Any:
    """Call in a daemon thread: that of an executor would delay the end of the event loop until it has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()
    context = copy_context()

    def work() -> None:
        try:
            result, error = context.run(call), None
        except BaseException as caught:  # noqa: BLE001  raised in the task
            result, error = None, caught
        try:
            loop.call_soon_threadsafe(_deliver, ended, result, error)
        except RuntimeError:  # the loop has ended
            return

    begin_thread(threading.Thread(target=work, name=f"asm-tool-{name}", daemon=True), "run a tool")
    return await ended


def _deliver(ended: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if ended.done():
        return
    if isinstance(error, StopIteration | asyncio.CancelledError):
        error = RuntimeError(f"the tool raised {type(error).__name__}")
    if error is None:
        ended.set_result(result)
    else:
        ended.set_exception(error)


def _to_json(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    try:
        plain = msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"The tool returned {short_repr(value)}, which JSON cannot hold: {error}"
        raise ValidationError(message) from error
    return check_payload(_OUTPUT, {_OUTPUT: plain})[_OUTPUT]
