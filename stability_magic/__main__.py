"""``python -m stability_magic`` is the command line."""

import sys

from .terminal.command_line import main

if __name__ == "__main__":
    sys.exit(main())
