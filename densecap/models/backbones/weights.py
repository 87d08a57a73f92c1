"""Reading the published weights of a network, or a local file of them, with errors that a person can act on."""

from __future__ import annotations

import http.client
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from densecap.errors import UserError

#: The value of ``model.backbone.weights`` that stands for torchvision's published ImageNet weights.
IMAGENET = "imagenet"


def load_weights(
    module: nn.Module,
    weights: str,
    published: WeightsEnum,
    architecture: Callable[..., nn.Module],
    optional: tuple[str, ...],
) -> None:
    """Fill ``module``, whose parameters are named as in torchvision's ``architecture``, from ``weights``.

    ``weights`` is "imagenet" (``published``, downloaded once) or the path of a state dict of the whole network or of
    its ``features`` alone. Parts whose name starts with one of ``optional`` may be absent unless ``module`` has them.
    Errors: UserError for a failed download, an unreadable file, and missing, unknown, mis-shaped or non-finite entries.
    """
    with torch.device("meta"):
        expected = architecture(weights=None).state_dict()
    state = read_state(weights, published)
    state = name_features(state, expected)
    needed = set(module.state_dict())
    wanted = {key: value for key, value in expected.items() if key in needed or not key.startswith(optional)}
    check_state(state, wanted, expected, weights, architecture.__name__)
    check_finite(state, needed, weights)
    module.load_state_dict({key: value for key, value in state.items() if key in needed}, strict=False)


def read_state(weights: str, published: WeightsEnum) -> dict[str, Tensor]:
    """The state dict behind ``weights`` ("imagenet" or a path), on the CPU."""
    return download_state(published) if weights == IMAGENET else read_state_file(weights)


def download_state(published: WeightsEnum) -> dict[str, Tensor]:
    """Published weights from torch's cache, fetched (with a checksum) when they are not there yet."""
    cached = Path(torch.hub.get_dir()) / "checkpoints" / published.url.rsplit("/", 1)[-1]
    known = cached.is_file()
    try:
        return dict(published.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError, http.client.HTTPException, pickle.UnpicklingError, EOFError) as error:
        if known:
            raise UserError(f"the weights in {cached} cannot be read: delete that file and run again") from error
        raise UserError(
            f"the weights could not be downloaded ({_first_line(error)}): fetch {published.url} on a machine that can "
            f"and save it as {cached}, or anywhere and say model.backbone.weights=PATH; "
            "model.backbone.weights=null starts from random weights"
        ) from error


def read_state_file(path: str) -> dict[str, Tensor]:
    """A state dict from a PyTorch or safetensors file; one wrapped under "state_dict" or "model" is unwrapped."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"model.backbone.weights={path}: there is no such file; give a path, imagenet or null")
    try:
        state = _load(file)
    except Exception as error:
        reason = _first_line(error)
        raise UserError(f"model.backbone.weights={path} is not a file of PyTorch weights: {reason}") from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"model.backbone.weights={path} holds no state dict (a mapping of names to tensors)")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _load(file: Path) -> object:
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(file)
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before torch 1.6 cannot be mapped
        return torch.load(file, map_location="cpu", weights_only=True)


def name_features(state: dict[str, Tensor], expected: Iterable[str]) -> dict[str, Tensor]:
    """Put "features." before the names of a file that holds only that part of a network which has such a part."""
    has_features = any(key.startswith("features.") for key in expected)
    if not has_features or any(key.startswith(("features.", "classifier.")) for key in state):
        return state
    return {f"features.{key}": value for key, value in state.items()}


def check_state(
    state: dict[str, Tensor], wanted: dict[str, Tensor], expected: dict[str, Tensor], source: str, name: str
) -> None:
    """Every ``wanted`` entry must be there, nothing outside ``expected`` may be, and shapes must agree.

    Errors: UserError that names the first offenders of each kind.
    """
    problems: list[str] = []
    counted = {key for key in wanted if not key.endswith("num_batches_tracked")}
    _report(problems, "it lacks", sorted(counted - state.keys()))
    _report(problems, "it has the unknown", sorted(state.keys() - expected.keys()))
    wrong = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    shapes = [f"{key} of shape {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}" for key in wrong]
    _report(problems, "it has", shapes)
    if problems:
        raise UserError(f"model.backbone.weights={source} does not fit {name}: {'; '.join(problems)}")


def check_finite(state: dict[str, Tensor], keys: Iterable[str], source: str) -> None:
    """Errors: UserError when one of ``keys`` holds NaN or infinity, as some published partial files do."""
    for key in sorted(keys):
        if key in state and not torch.isfinite(state[key]).all():
            raise UserError(f"model.backbone.weights={source} holds values that are not numbers in {key}")


def _report(problems: list[str], what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        problems.append(f"{what} {', '.join(names[:3])}{more}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
