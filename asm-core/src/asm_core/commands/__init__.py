"""Commands of the operating system as runs."""

from asm_core.commands.command import Command
from asm_core.commands.lines import joined_output, output_bytes
from asm_core.commands.provider import CommandProvider

__all__ = ["Command", "CommandProvider", "joined_output", "output_bytes"]
