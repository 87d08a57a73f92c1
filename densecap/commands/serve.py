"""``serve``: a trained captioner behind HTTP and WebSocket, with the live page. Ends with status 0 on Ctrl-C."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import warnings
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import quote

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from rich.console import Console

from densecap.commands.devices import choose_devices
from densecap.commands.fresh_folder import typed
from densecap.commands.trained_model import TrainedModel, load_model, model_card, prepare_model
from densecap.errors import UserError
from densecap.prediction.precision import check_precision
from densecap.serving.addresses import is_local, open_socket, shown_addresses
from densecap.serving.app import create_app
from densecap.serving.devices import copies
from densecap.serving.limits import Limits
from densecap.serving.running import run_app
from densecap.serving.service import Service
from densecap.serving.tls import Certificate, given_certificate, own_certificate

#: Proposals that are recognised in a picture of the live page, where nothing else is said.
QUICK_PROPOSALS = 300

#: Requests a minute from one address, when other machines can ask and nobody said how many.
_OTHERS_PER_MINUTE = 600


@dataclass(frozen=True)
class Door:
    """Where and to whom the server is open; ``page`` is what stands behind the address that a browser opens."""

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    certificate: Certificate | None = None
    hosts: tuple[str, ...] = ()
    opens: bool = False
    page: str = ""


def run(cfg: DictConfig) -> int:
    """Serve until Ctrl-C; see the config for the options."""
    return serve(cfg, open_door(cfg), _limits(cfg))


def serve_webcam(cfg: DictConfig) -> int:
    """``predict source=webcam``: the live page on this machine alone, opened with its camera on."""
    return serve(cfg, Door(port=0, opens=True, page="?camera=1"), Limits())


def open_door(cfg: DictConfig) -> Door:
    """``host``, ``port``, ``token``, ``https``, ``hosts`` and ``open``. Errors: UserError for what cannot be used."""
    host = str(cfg.host or "127.0.0.1")
    token = None if cfg.token in (None, "") else str(cfg.token)
    token = secrets.token_urlsafe(16) if token == "auto" else token
    names = [cfg.hosts] if isinstance(cfg.hosts, str) else list(cfg.hosts or ())
    return Door(host, int(cfg.port), token, _certificate(cfg.https, host), tuple(map(str, names)), bool(cfg.open))


def _certificate(https: Any, host: str) -> Certificate | None:
    if https is None or https is False or https == "off":
        return None
    if https is True or https == "auto":
        return own_certificate(host)
    if isinstance(https, Mapping | DictConfig) and set(https) == {"cert", "key"}:
        return given_certificate(str(https["cert"]), str(https["key"]))
    raise UserError(f"https={https} is not known: give auto, off, or {{cert:FILE,key:FILE}}")


def _limits(cfg: DictConfig) -> Limits:
    values: dict[str, Any] = OmegaConf.to_container(cfg.limits)  # type: ignore[assignment]
    known = {field.name for field in fields(Limits)}
    if values.get("requests_per_minute") == "auto":
        values["requests_per_minute"] = None if is_local(str(cfg.host or "127.0.0.1")) else _OTHERS_PER_MINUTE
    return Limits(**{key: value for key, value in values.items() if key in known})


def serve(cfg: DictConfig, door: Door, limits: Limits) -> int:
    """Load the model and serve it through the door. Errors: UserError for what was typed wrong."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    precision = check_precision(str(cfg.get("precision") or "fp32"))
    devices = choose_devices(cfg)
    with open_socket(door.host, door.port) as listening:
        trained = _quick(cfg, prepare_model(cfg, devices.first, lambda: load_model(cfg, console)))
        if devices.first.type == "cpu":  # workers share the cores
            torch.set_num_threads(max(1, torch.get_num_threads() // devices.count))
        service = _service(trained, devices.all(), limits, precision)
        if trained.loaded.data_name == "shapes":
            console.print("this model was trained on generated scenes: it knows nothing but coloured shapes")
        app = create_app(service, door.token, is_local(door.host), door.hosts)
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # limits.max_pixels is the rule
        service.warm_up()
        port = int(listening.getsockname()[1])
        run_app(app, listening, limits, door.certificate, lambda: _say(console, door, port))
    console.print("stopped")
    return 0


def _quick(cfg: DictConfig, trained: TrainedModel) -> TrainedModel:
    """The model with fewer proposals than it was trained with, unless their number was typed."""
    most = int(cfg.get("max_proposals") or QUICK_PROPOSALS)
    if HydraConfig.initialized() and typed("detection.max_proposals"):
        return trained
    detection = replace(trained.detection, max_proposals=min(most, trained.detection.max_proposals))
    return replace(trained, detection=detection)


def _service(trained: TrainedModel, devices: list[torch.device], limits: Limits, precision: str) -> Service:
    loaded = trained.loaded
    card = model_card(loaded, trained.detection, trained.generation) | {"vocabulary": loaded.model.vocabulary.words}
    if precision != "fp32":
        card["config"]["precision"] = precision
    models = copies(loaded.model, devices)
    return Service(models, card, trained.detection, trained.generation, limits, trained.batch_size, precision)


def _say(console: Console, door: Door, port: int) -> None:
    """The addresses to open, and what is to know about them."""
    scheme = "https" if door.certificate else "http"
    parts = [door.page.lstrip("?"), f"token={quote(door.token)}" if door.token else ""]
    query = "&".join(part for part in parts if part)
    addresses = [address + (f"?{query}" if query else "") for address in shown_addresses(door.host, port, scheme)]
    for address in addresses:
        console.print(f"open {address}")
    if door.certificate is not None:
        _say_trust(console, door.certificate)
    if not is_local(door.host):
        if not door.token:
            console.print(
                "warning: every machine that reaches this one may use the server; give token=auto to ask for a token"
            )
        if door.certificate is None:
            console.print("browsers of other machines give their camera to secure pages only: add https=auto")
    console.print("Ctrl-C stops")
    if door.opens:
        _open_browser(addresses[0])


def _say_trust(console: Console, certificate: Certificate) -> None:
    console.print(f"the certificate's SHA-256 fingerprint is {certificate.fingerprint}")
    if certificate.shared is not None:
        console.print(
            "it is self-signed, so a browser warns the first time: compare the fingerprint there and go on, or have "
            f"your system trust {certificate.shared}"
        )


def _open_browser(address: str) -> None:
    """Open a page in a browser with windows; where there is none the address on the terminal has to do."""
    graphical = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    )
    if graphical:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
