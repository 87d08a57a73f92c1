"""``extract_features``: features of all images of a data set in one file (``densecap.models.feature_file``).

Exit status: 0, or 130 after Ctrl-C, when the finished parts are kept beside the file.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from densecap import checkpoint
from densecap.builder import build
from densecap.commands.fresh_folder import typed_keys
from densecap.commands.preprocess import prepare
from densecap.commands.progress import model_progress
from densecap.commands.trained_model import choose_device, enough_memory, find_checkpoint, positive, typed_settings
from densecap.data.folder_lock import folder_lock
from densecap.data.hdf5 import RegionFile
from densecap.data.splits import sha256_of_file
from densecap.errors import UserError
from densecap.features import extraction
from densecap.features.assembly import arrays_of
from densecap.features.backbones import for_whole_images, with_absolute_weights
from densecap.features.extraction import Extract
from densecap.features.parts import Parts
from densecap.models.backbones.base import Backbone
from densecap.models.backbones.precomputed import Precomputed
from densecap.models.dense_captioner import DenseCaptioner
from densecap.models.feature_file import FeatureFile, write_feature_file
from densecap.models.feature_recipe import FeatureRecipe, digest_of_ids, digest_of_weights
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.views import canonical_size, check_crop

PACKAGES = ("densecap", "torch", "torchvision", "numpy", "h5py")

#: The end of the default file name of each layer.
ENDINGS = {"backbone": "features", "refined": "refined", "regions": "regions"}


@dataclass
class Job:
    """What is to be computed and how: ``recipe`` names it, ``extract`` does it."""

    recipe: FeatureRecipe
    extract: Extract


def run(cfg: DictConfig) -> int:
    """Extract as the config says."""
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    device, batch_size = choose_device(cfg.get("device") or "auto"), positive(cfg, "batch_size")
    source = RegionFile(prepare(cfg.data, console=console))
    job = _of_checkpoint(cfg, source, device, console) if cfg.ckpt else _of_config(cfg, source, device)
    name = f"{source.attrs['name']}_{ENDINGS[job.recipe.layer]}.h5"
    output = Path(str(cfg.output)).expanduser() if cfg.output else Path(str(cfg.paths.data)) / name
    reason = _reason_to_make(output, job.recipe, bool(cfg.overwrite))
    if reason is None:
        console.print(f"{output} is complete and made with these options (overwrite=true makes it anew)")
        return 0
    if output.exists():
        console.print(f"{output} is made anew: {reason}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with folder_lock(output.parent, lambda: console.print(f"waiting for another process in {output.parent}")):
            return _make(output, job, source, batch_size, console)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}") from error


def _of_config(cfg: DictConfig, source: RegionFile, device: torch.device) -> Job:
    if cfg.features.layer not in (None, "backbone"):
        raise UserError(f"features.layer={cfg.features.layer} needs a trained model: give ckpt=PATH")
    crop = _crop(cfg)
    config: dict[str, Any] = OmegaConf.to_container(cfg.model.backbone, resolve=True)  # type: ignore[assignment]
    config = with_absolute_weights(for_whole_images(config))
    if str(config["_target_"]).endswith(f".{Precomputed.__name__}"):
        raise UserError("model/backbone=precomputed holds features already: choose the network that is to compute some")
    torch.manual_seed(0)  # of weights that are random because model.backbone.weights=null
    backbone: Backbone = build(config).eval().to(device)
    input_size = canonical_size(cfg.features.input_size or backbone.input_size)
    image_size = int(cfg.data.image_size)
    recipe = FeatureRecipe(
        data_name=source.attrs["name"],
        ids_sha256=digest_of_ids(source.ids),
        image_size=image_size,
        backbone=config,
        weights_sha256=digest_of_weights(backbone),
        crop=crop,
        input_size=input_size,
    )
    return Job(recipe, extraction.of_backbone(backbone, image_size, input_size, crop))


def _crop(cfg: DictConfig) -> str:
    if cfg.features.crops not in (1, 10):
        raise UserError(f"features.crops is 1 or 10, got {cfg.features.crops}")
    crop = "ten" if cfg.features.crops == 10 else str(cfg.features.crop)
    check_crop(crop)
    return crop


def _of_checkpoint(cfg: DictConfig, source: RegionFile, device: torch.device, console: Console) -> Job:
    path = find_checkpoint(cfg, console)
    moved = "model.backbone.weights" in typed_keys("model.")
    loaded = checkpoint.load(path, str(cfg.model.backbone.weights) if moved else None)
    model = loaded.model.to(device)
    layer = _layer(cfg, model)
    useless = [key for key in typed_keys("features.") if key != "features.layer"]
    if useless:
        raise UserError(f"{useless[0]} goes with model/backbone; {path} sees images as it was trained to")
    former = checkpoint.recipe_of(checkpoint.read(path))
    whole = isinstance(model, ImageCaptioner)
    config = former.backbone if former else dict(loaded.config["model"]["backbone"])
    recipe = FeatureRecipe(
        data_name=source.attrs["name"],
        ids_sha256=digest_of_ids(source.ids),
        image_size=model.image_size,
        backbone=with_absolute_weights(for_whole_images(config) if whole else config),
        weights_sha256=digest_of_weights(model.backbone),
        crop=model.crop if isinstance(model, ImageCaptioner) else "none",
        input_size=model.input_size if isinstance(model, ImageCaptioner) else model.image_size,
        layer=layer,
        checkpoint_sha256=None if layer == "backbone" else sha256_of_file(path),
    )
    if isinstance(model, DenseCaptioner):
        return Job(recipe, extraction.of_regions(model, typed_settings(cfg, "detection", model.detection)))
    return Job(recipe, extraction.of_captioner(model, refined=layer == "refined"))


def _layer(cfg: DictConfig, model: DenseCaptioner | ImageCaptioner) -> str:
    known = ("regions",) if model.finds_boxes else ("backbone", "refined")
    layer = str(cfg.features.layer or known[0])
    if layer not in known:
        name = type(model).__name__
        raise UserError(f"features.layer={layer} is not in the given {name}, which has {' and '.join(known)}")
    if layer == "refined" and not model.decoder.late_fusion:
        raise UserError(
            f"features.layer=refined is the image's side of a multimodal layer, which {type(model.decoder).__name__} "
            "has not: take a model with model/decoder=mrnn"
        )
    return layer


def _reason_to_make(output: Path, recipe: FeatureRecipe, overwrite: bool) -> str | None:
    if not output.exists() or overwrite:
        return "overwrite=true"
    try:
        return recipe.difference(FeatureFile(output).recipe)
    except UserError as error:
        return str(error)


def _make(output: Path, job: Job, source: RegionFile, batch_size: int, console: Console) -> int:
    parts = Parts(output.with_name(f"{output.name}.parts"), job.recipe)
    start, counts = time.perf_counter(), {True: 0, False: 0}
    try:
        with model_progress(console) as progress, enough_memory(batch_size):
            bar = progress.add_task("extracting", total=len(source))

            def advance(count: int, was_there: bool) -> None:
                counts[was_there] += count
                progress.update(bar, total=len(source) - counts[True], completed=counts[False])

            num_parts = extraction.run(source, job.extract, parts, batch_size, advance)
        write_feature_file(output, job.recipe, source.ids, arrays_of(parts, num_parts), _run_record())
    except KeyboardInterrupt:
        console.print(f"interrupted: what is done is kept in {parts.folder}, the same command goes on from there")
        return 130
    parts.remove()
    if counts[True]:
        console.print(f"{counts[True]:,} images were there from an earlier run")
    seconds = time.perf_counter() - start
    rate = f"{counts[False] / seconds:.1f} images/s" if counts[False] else "nothing left to do"
    console.print(f"{counts[False]:,} images in {seconds:.1f} s, {rate}; written to {output}")
    return 0


def _run_record() -> dict[str, Any]:
    packages = {"python": platform.python_version()}
    for name in PACKAGES:
        packages[name] = version(name)
    return {"packages": packages, "created": datetime.now(UTC).isoformat(timespec="seconds")}
