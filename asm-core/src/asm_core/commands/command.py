"""The input of a run of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from asm_core.errors import ValidationError, short_repr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asm_core.values.payloads import Payload

_FORM: Final = '{"command": [...], "cwd"?: str, "env"?: {...}, "merge"?: bool, "tty"?: bool}'


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A command of the operating system.

    Attributes:
        command: the program and its arguments; no shell interprets them.
        cwd: the working directory; None: that of this process.
        env: variables to add to the environment of this process.
        merge: whether standard error is written to standard output, so that their order is kept.
        tty: whether it gets a pseudo-terminal as its standard input, output and error.

    >>> Command.from_input({"command": ["echo", "hello"]}).command
    ('echo', 'hello')
    """

    command: tuple[str, ...]
    cwd: str | None = None
    env: dict[str, str] = msgspec.field(default_factory=dict)
    merge: bool = False
    tty: bool = False

    @classmethod
    def from_input(cls, value: Payload | None) -> Self:
        """Parse the input of a run: ``{"command": [...], "cwd"?: str, "env"?: {...}, "merge"?: bool, "tty"?: bool}``.

        Raises:
            ValidationError: the input is not of this form.
        """
        try:
            command = msgspec.convert(value, type=cls)
        except msgspec.ValidationError as error:
            message = f"The input of a command must be {_FORM}: {error}."
            raise ValidationError(message) from None
        if not command.command or not command.command[0]:
            message = f"command must begin with the name of a program: {short_repr(list(command.command))}."
            raise ValidationError(message)
        if "\0" in "".join((*command.command, command.cwd or "", *command.env, *command.env.values())):
            message = f"A command must not contain a NUL character: {short_repr(list(command.command))}."
            raise ValidationError(message)
        if any(not name or "=" in name for name in command.env):
            message = (
                f"The name of a variable in env must not be empty or contain '=': {short_repr(list(command.env))}."
            )
            raise ValidationError(message)
        return command

    def to_input(self) -> dict[str, Any]:
        """Return the input of a run of this command."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {**fields, "command": list(self.command)}

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the command, from that of this process."""
        return {**inherited, **self.env}
