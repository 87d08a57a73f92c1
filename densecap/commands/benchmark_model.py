"""The dense captioner that ``benchmark`` times."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from densecap import checkpoint
from densecap.errors import UserError
from densecap.models.dense_captioner import DenseCaptioner
from densecap.text.vocabulary import Vocabulary


def timed_model(cfg: DictConfig) -> DenseCaptioner:
    """The checkpoint's model, or that of the configuration with random weights, frozen as if they were pretrained.

    Errors: UserError for a model that is no dense captioner.
    """
    if cfg.ckpt:
        loaded = checkpoint.load(cfg.ckpt).model
        check_dense(type(loaded).__name__)
        assert isinstance(loaded, DenseCaptioner)
        return loaded
    plain: dict[str, Any] = OmegaConf.to_container(cfg.model, resolve=True)  # type: ignore[assignment]
    vocabulary = Vocabulary([f"word{index}" for index in range(int(cfg.vocabulary_size))])
    model = checkpoint.build_model(plain, vocabulary, pretrained=False)
    assert isinstance(model, DenseCaptioner)
    model.backbone.pretrained = True
    model.backbone.set_trainable(bool(plain["backbone"].get("trainable", True)))
    return model


def check_dense(name: str) -> None:
    if name != DenseCaptioner.__name__:
        raise UserError(
            f"benchmark times the parts of a dense captioner, not of the given {name}: choose model=densecap_..."
        )
