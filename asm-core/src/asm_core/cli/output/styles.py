"""Styles that can be read on light and on dark terminals."""

from typing import Final

ATTENTION: Final = "color(166)"
"""Orange, for what is neither good nor wrong. Most terminals show a yellow that cannot be read on white."""
