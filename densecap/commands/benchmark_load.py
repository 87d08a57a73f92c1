"""``benchmark part=serve``: many clients at once on a server, beside one at a time."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap.benchmark import machine
from densecap.benchmark.load import report
from densecap.benchmark.load.connection import upload_request
from densecap.benchmark.load.crowd import Load, press
from densecap.benchmark.load.server import running_server
from densecap.benchmark.photos import write_random_photos
from densecap.benchmark.report import VERSION, write_json
from densecap.errors import UserError
from densecap.prediction.sources import resolve_sources


def run_load(cfg: DictConfig) -> None:
    """Press the server as ``cfg.serve`` says, print the table and write ``cfg.output``."""
    options: dict[str, Any] = OmegaConf.to_container(cfg.serve, resolve=True)  # type: ignore[assignment]
    for key in ("clients", "seconds"):
        if not isinstance(options[key], int) or options[key] < 1:
            raise UserError(f"serve.{key} is a whole number above 0, got {options[key]}")
    console = Console(highlight=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="densecap-benchmark-")))
        pictures = _pictures(cfg, folder)
        url, memory = options["url"], lambda: 0
        if not url:
            server = stack.enter_context(running_server(_server_options(cfg, str(options["server"] or ""))))
            url, memory = server.url, server.memory
        requests = [upload_request(url, path, str(options["query"] or "")) for path in pictures]
        loads = _loads(url, requests, options, memory)
    report.show(loads, console)
    if cfg.output:
        content = {"version": VERSION, "machine": machine.describe(torch.device("cpu")), "settings": options}
        write_json(Path(cfg.output).expanduser(), {**content, "loads": [report.to_json(load) for load in loads]})
        console.print(f"written to {cfg.output}", soft_wrap=True)


def _pictures(cfg: DictConfig, folder: Path) -> list[Path]:
    if cfg.source:
        return resolve_sources(cfg.source if isinstance(cfg.source, str) else list(cfg.source))
    return write_random_photos(folder, min(int(cfg.num_photos), 64), int(cfg.height), int(cfg.width))


def _server_options(cfg: DictConfig, more: str) -> list[str]:
    ckpt = [f"ckpt={cfg.ckpt}"] if cfg.ckpt else []
    return [*ckpt, f"paths.outputs={cfg.paths.outputs}", f"device={cfg.device}", *shlex.split(more)]


def _loads(url: str, requests: list[bytes], options: dict[str, Any], memory: Callable[[], int]) -> list[Load]:
    with Console(stderr=True).status("one at a time") as status:
        asyncio.run(press(url, requests, 1, 1))  # what is slow the first time
        loads = [asyncio.run(press(url, requests, 1, options["alone"], memory))] if options["alone"] else []
        status.update(f"{options['clients']} clients")
        return [*loads, asyncio.run(press(url, requests, options["clients"], options["seconds"], memory))]
