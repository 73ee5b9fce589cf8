"""``python -m asm_core`` is ``asm``."""

import sys

from asm_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
