"""The entry points: which command, with which exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from densecap.cli import locations
from densecap.cli.arguments import Request, read
from densecap.cli.checks import check
from densecap.cli.help import command_help, group_help, overview
from densecap.cli.launch import launch, report
from densecap.cli.table import find_command
from densecap.errors import UserError

#: Exit statuses beside the command's own (2: the user's mistake, see ``report``), as shells use them.
INTERRUPTED = 130
BROKEN_PIPE = 141


def console() -> NoReturn:
    """``densecap COMMAND ...`` and ``python -m densecap COMMAND ...``."""
    sys.exit(run(sys.argv[1:]))


def main(command: str) -> NoReturn:
    """One command's own script, such as ``train.py``."""
    sys.exit(run(sys.argv[1:], command))


def run(arguments: Sequence[str], command: str | None = None) -> int:
    """Run a command line and return its exit status; without ``command`` the first argument names it.

    A UserError is one line on standard error and status 2; other exceptions are ours and keep their traceback.
    """
    try:
        return _run(list(arguments), command)
    except UserError as error:
        return report(error)
    except KeyboardInterrupt:
        print("densecap: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: list[str], command: str | None) -> int:
    words = []
    if command is None:
        if not arguments or arguments[0] in ("--help", "-h"):
            return _show(overview())
        if arguments[0] == "--version":
            return _show(_version())
        words = [command := arguments.pop(0)]
    request = read(find_command(command), arguments)
    if "--version" in request.flags:
        return _show(_version())
    if "--help" in request.flags:
        return _show(_help(request))
    checked, config = check(request)
    return launch(checked, config, words)


def _help(request: Request) -> str:
    group = request.flags["--help"]
    folder = locations.config_dir()
    return group_help(request.command, group, folder) if group else command_help(request.command, folder)


def _version() -> str:
    import densecap

    return f"densecap {densecap.__version__}"


def _show(text: str) -> int:
    print(text, flush=True)
    return 0
