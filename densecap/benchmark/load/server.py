"""A server in a process of its own, to be pressed and then stopped."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from densecap.errors import UserError


class ServerProcess:
    """``python -m densecap serve`` with options; ``url`` is where it answers."""

    def __init__(self, options: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "densecap", "serve", "port=0", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=cwd, env=env)
        self.said: list[str] = []
        self.url = self._wait_for_address()
        self._reading = threading.Thread(target=self._read_on, daemon=True)
        self._reading.start()

    def _wait_for_address(self) -> str:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip("\n"))
            if match := re.match(r"open (https?://\S+)", line):
                return match[1].partition("?")[0].rstrip("/")
        self.process.wait()
        raise UserError(f"the server did not start: {' '.join(self.said[-1:])}")

    def _read_on(self) -> None:
        assert self.process.stderr is not None
        self.said += [line.rstrip("\n") for line in self.process.stderr]

    def memory(self) -> int:
        """Bytes of its resident memory; 0 where the system does not say."""
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return 0
        match = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(match[1]) * 1024 if match else 0

    def stop(self) -> int:
        """Press Ctrl-C and wait; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reading.join(5)
        return status


@contextmanager
def running_server(
    options: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None
) -> Iterator[ServerProcess]:
    """A server as long as the block lasts; errors: UserError with its own sentence when it does not start."""
    server = ServerProcess(options, cwd, env)
    try:
        yield server
    finally:
        server.stop()
