"""Dense captioning: describe every region of an image.

Nothing here imports torch until it is asked for, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from densecap.errors import UserError
    from densecap.models.dense_captioner import DenseCaptioner
    from densecap.models.image_captioner import ImageCaptioner
    from densecap.prediction.predictor import Predictor
    from densecap.prediction.results import Result
    from densecap.text.vocabulary import Vocabulary

    __version__: str

_HOMES = {
    "DenseCaptioner": "densecap.models.dense_captioner",
    "ImageCaptioner": "densecap.models.image_captioner",
    "Predictor": "densecap.prediction.predictor",
    "Result": "densecap.prediction.results",
    "Vocabulary": "densecap.text.vocabulary",
    "UserError": "densecap.errors",
}

__all__ = ["DenseCaptioner", "ImageCaptioner", "Predictor", "Result", "UserError", "Vocabulary", "__version__", "load"]


def load(path: str | Path, weights: str | Path | None = None, device: str = "cpu") -> Predictor:
    """The model in a checkpoint that train.py wrote, ready to predict: ``load("model.ckpt").predict("photo.jpg")``.

    ``path`` may also be a model's folder that export wrote, or one on the hub: ``load("hf://organisation/name")``.
    ``weights`` says where the backbone's weights lie now, for a model that was trained on precomputed features;
    ``device`` is where it works ("auto": the first GPU where there is one). Errors: UserError when the file is missing,
    incomplete or holds something else.
    """
    loaded = import_module("densecap.checkpoint").load(path, weights)
    return import_module("densecap.prediction.predictor").Predictor(loaded.model, device=device)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'densecap' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("densecap")
    except PackageNotFoundError:  # a checkout that was never installed
        import tomllib

        with (Path(__file__).parents[1] / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])
