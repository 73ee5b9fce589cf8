"""The provider for commands of the operating system."""

from asm_core.commands.command import Command
from asm_core.commands.lines import joined_output, output_bytes
from asm_core.commands.provider import CommandProvider

__all__ = ["Command", "CommandProvider", "joined_output", "output_bytes"]
