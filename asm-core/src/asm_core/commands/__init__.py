"""Commands of the operating system as runs."""

from asm_core.commands.command import Command
from asm_core.commands.lines import output_bytes
from asm_core.commands.provider import CommandProvider

__all__ = ["Command", "CommandProvider", "output_bytes"]
