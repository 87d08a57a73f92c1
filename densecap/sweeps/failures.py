"""What went wrong in a job, in one sentence."""

from __future__ import annotations

import signal

#: Longest sentence that is kept of an exception's message, in characters.
LONGEST = 240


def sentence(error: BaseException) -> str:
    """The kind of an exception and its message on one line; of running out of memory only that."""
    name, message = type(error).__name__, " ".join(str(error).split())
    if "out of memory" in message.lower() or isinstance(error, MemoryError):
        return f"out of memory: {_shortened(message or name)}"
    return _shortened(f"{name}: {message}" if message else name)


def of_process(returncode: int) -> str:
    """What the exit status of a process means that left no word of its own."""
    if returncode >= 0:
        return f"its process ended with status {returncode} and left no outcome; its log says more"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = f"signal {-returncode}"
    memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{memory}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rstrip() + "..."
