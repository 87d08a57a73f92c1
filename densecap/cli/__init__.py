"""The command line: finds the command, quotes what people type, checks it, and hands over to Hydra.

Nothing in this package imports torch; a command's own module is imported after its arguments have been checked.
"""

from densecap.cli.entry import console, main

__all__ = ["console", "main"]
