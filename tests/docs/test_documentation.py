"""The documentation builds without the network, and its commands work as they stand there."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, pages
from tests.docs.laboratory import furnish

ALL = [block for page in pages() for block in blocks(page)]
MOST_NOT_RUN = 5


def test_at_most_five_commands_are_not_run() -> None:
    waiting = [block for block in ALL if block.mark == "not run"]
    assert sum(block.count() for block in waiting) <= MOST_NOT_RUN
    assert all(block.reason.startswith("needs ") for block in waiting)
    assert sum(block.count() for block in ALL) > 30


@pytest.mark.long
def test_the_site_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in pages():
        assert (tmp_path / "site" / f"{page.stem}.html").is_file(), page.name
    assert "data/visual_genome/" in (tmp_path / "site" / "data.html").read_text(encoding="utf-8")
    assert 'src="https://' not in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laboratory")
    furnish(folder)
    return folder


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page.name for page in pages()])
def test_commands_of_a_page(page: str, furnished: Path, tmp_path: Path) -> None:
    wanted = [block for block in ALL if block.page == page and block.mark != "not run"]
    if not wanted:
        has_some = any(block.page == page for block in ALL)
        assert has_some or page in {"benchmarks.md", "extending.md", "history.md"}, f"{page} has no command"
        return
    here = tmp_path / "work"
    shutil.copytree(furnished, here)
    environment = os.environ | {"PATH": f"{here / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    with ExitStack() as servers:
        for block in wanted:
            if block.mark == "server":
                servers.enter_context(_served(block, here, environment))
                continue
            script = f"set -eo pipefail\n{block.commands}"
            done = subprocess.run(["bash", "-c", script], cwd=here, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{block.commands}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"


@contextmanager
def _served(block: Block, here: Path, environment: dict[str, str]) -> Iterator[None]:
    """The command answers at the address of its mark while the rest of the page is tried, then is told to end."""
    log, alone = here / "server.log", Path(tempfile.gettempdir()) / f"documented_port_{block.reason[-4:]}"
    with alone.open("w") as lock, log.open("w") as file:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pages that are tried at the same time use the same documented port
        command = ["bash", "-c", f"exec {block.commands}"]
        process = subprocess.Popen(command, cwd=here, env=environment, stdout=file, stderr=file)
        try:
            deadline = time.monotonic() + 120
            while not _answers(block.reason):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
