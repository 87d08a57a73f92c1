"""Measurements in a process of their own, where neither memory nor caches of others are in the way.

Nothing heavy is imported here: a process holds what the measured function imports and no more. Modules are compiled
once and kept, as Python does by default, even where PYTHONDONTWRITEBYTECODE says otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from typing import Any

from densecap.benchmark.memory import process_peak
from densecap.errors import UserError

_PROGRAM = "import sys; sys.path[:] = {path!r}; from densecap.benchmark.metrics.fresh import main; main()"


def measure_fresh(module: str, function: str, **arguments: Any) -> dict[str, float]:
    """The numbers that a function of a module returns when a new process calls it, and its ``peak_memory`` in bytes.

    Errors: UserError with the process's last words when it fails.
    """
    request = json.dumps({"module": module, "function": function, "arguments": arguments})
    command = [sys.executable, "-c", _PROGRAM.format(path=sys.path)]
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, input=request, capture_output=True, text=True, encoding="utf-8", env=settings, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise UserError(f"measuring {function} in a process of its own failed: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Answer the request on standard input."""
    request = json.loads(sys.stdin.read())
    function = getattr(import_module(request["module"]), request["function"])
    numbers = function(**request["arguments"])
    print(json.dumps({**numbers, "peak_memory": process_peak()}))
