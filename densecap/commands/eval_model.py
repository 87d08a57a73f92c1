"""The half of ``eval`` that runs a model over a split; imported only when there is a model to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from densecap.builder import build
from densecap.checkpoint import LoadedModel
from densecap.commands import reranking
from densecap.commands.devices import choose_devices
from densecap.commands.eval_describing import ReadyModel, describe, help_describing
from densecap.commands.eval_retrieval import retrieval_on_split
from densecap.commands.trained_model import choose_device, load_model, model_card, prepare_model
from densecap.data.training_images import overlap_warning, seen_in_training
from densecap.errors import UserError
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.image_vectors import ImageVectors
from densecap.evaluation.model_pass import Wanted
from densecap.evaluation.reranked import RerankedWriter
from densecap.evaluation.scoring import Inputs
from densecap.evaluation.truth import Truth
from densecap.models.generation import GenerationSettings
from densecap.models.image_captioner import ImageCaptioner
from densecap.models.settings import DetectionSettings
from densecap.prediction.writers import JsonWriter, Writer

#: The file of each protocol.
FILES = {"predicted": "predictions.json", "truth": "predictions_on_truth.json", "images": "predictions.json"}


def find_model(cfg: DictConfig, console: Console) -> ReadyModel:
    """Errors: UserError for a checkpoint, a device or a setting that cannot be used."""
    devices = choose_devices(cfg)
    device = choose_device("cpu") if devices.count > 1 else devices.first  # Lightning moves it
    trained = prepare_model(cfg, device, lambda: load_model(cfg, console))
    wanted = _wanted(cfg, trained.detection, reranking.with_hypotheses(cfg, trained.generation))
    if "retrieval" in cfg.metric:
        build(cfg.metric.retrieval)  # so that a mistake in it is told at once
    if not trained.loaded.model.finds_boxes:
        wanted.proposal_recall = None
    wanted.exchange_images = _exchanges_images(cfg, trained.loaded)
    return ReadyModel(trained.loaded, wanted, trained.batch_size, devices)


def _exchanges_images(cfg: DictConfig, loaded: LoadedModel) -> bool:
    """Errors: UserError where that is not possible."""
    if not cfg.exchange_images:
        return False
    if loaded.model.finds_boxes:
        raise UserError("exchange_images=true is for models of whole images; this one finds boxes in them")
    if cfg.rerank.name == "consensus" or "retrieval" in cfg.metric:
        raise UserError("exchange_images=true goes with rerank=none or mbr, and without metric=[retrieval]")
    return True


def suited_choice(ready: ReadyModel, truth: Truth, choice: Choice) -> Choice:
    """The choice, on true boxes where the model finds none; errors: UserError when that is not what was asked for."""
    if ready.loaded.model.finds_boxes or truth.describes_whole_images:
        return choice
    if choice.protocol == "predicted":
        raise UserError("protocol=predicted needs a model that finds boxes; this one describes given boxes: leave it")
    return replace(choice, protocol="truth")


def _protocols(ready: ReadyModel, truth: Truth, choice: Choice) -> tuple[str, ...]:
    whole = not ready.loaded.model.finds_boxes and truth.describes_whole_images
    return ("images",) if whole else choice.protocols


def _wanted(cfg: DictConfig, detection: DetectionSettings, generation: GenerationSettings) -> Wanted:
    recall = cfg.metric.get("proposal_recall")
    return Wanted(detection, generation, None if recall is None else build(recall), "perplexity" in cfg.metric)


def help_on_split(ready: ReadyModel, truth: Truth, choice: Choice, console: Console) -> None:
    """The part of a process that another one started: a share of the images, and nothing is written."""
    help_describing(ready, truth, list(_protocols(ready, truth, choice)), _stored_features(ready, truth, console))


def run_on_split(
    cfg: DictConfig, ready: ReadyModel, truth: Truth, choice: Choice, folder: Path, console: Console
) -> Inputs | None:
    """Write what the model says about the split and read it back; None after Ctrl-C, which keeps what was done.

    What is scored is what the files hold, so scoring them again gives the same figures.
    """
    wanted, loaded = ready.wanted, ready.loaded
    if loaded.data_name != truth.name:
        console.print(f"the model was trained on {loaded.data_name}, it is evaluated on {truth.name}")
    writers = _writers(cfg, ready, truth, choice, folder, console)
    described = describe(ready, truth, writers, _stored_features(ready, truth, console), folder, console)
    if described is None:
        return None
    figures, rate = described
    files = {name: read_predictions(folder / FILES[name]) for name in writers}
    report = {**figures.to_json(wanted), "images_per_second": rate}
    if choice.asks("retrieval") and isinstance(loaded.model, ImageCaptioner):
        try:
            report["retrieval"] = retrieval_on_split(cfg, loaded, truth, console)
        except KeyboardInterrupt:
            console.print(f"interrupted during retrieval; what the model said of the images is kept in {folder}")
            return None
    predicted = files.get("predicted") or files.get("images") or files["truth"]
    warnings = overlap_warnings(loaded, truth)
    if wanted.exchange_images:
        warnings.append("images were exchanged: the model saw another one in the place of each (exchange_images=true)")
    return Inputs(truth, predicted, files.get("truth"), report, strict=False, warnings=warnings)


def _stored_features(ready: ReadyModel, truth: Truth, console: Console) -> ImageVectors | None:
    """Features of whole images where those that the model was trained on are still there, and of these images."""
    if not isinstance(ready.loaded.model, ImageCaptioner):
        return None
    vectors = ImageVectors(ready.loaded, truth.region_file, None, ready.batch_size)
    if vectors.file is None:
        return None
    console.print(f"features of the images are those of {vectors.file.file.path}")
    return vectors


def _writers(
    cfg: DictConfig, ready: ReadyModel, truth: Truth, choice: Choice, folder: Path, console: Console
) -> dict[str, Writer]:
    """The file of each protocol; with ``rerank`` captions are chosen on the way there."""
    wanted, loaded = ready.wanted, ready.loaded
    card = model_card(loaded, wanted.detection, wanted.generation) | {"vocabulary": loaded.model.vocabulary.words}
    if wanted.exchange_images:
        card["config"]["exchange_images"] = True
    names = _protocols(ready, truth, choice)
    if not reranking.is_asked_for(cfg):
        return {name: JsonWriter(folder / FILES[name], card) for name in names}
    if names != ("images",):
        reranking.check_needs_no_images(cfg)
    console.print(f"of the captions of each image rerank={cfg.rerank.name} will choose one")
    card["config"]["rerank"] = reranking.settings_of(cfg)
    reranker = reranking.make_reranker(cfg, loaded, truth.region_file, console)
    features = reranking.stored_features(cfg, loaded, truth.region_file)
    return {name: RerankedWriter(JsonWriter(folder / FILES[name], card), reranker, features) for name in names}


def overlap_warnings(loaded: LoadedModel, truth: Truth) -> list[str]:
    """A sentence when the model was trained on images that are evaluated."""
    ids = [image.image_id for image in truth.images]
    seen = seen_in_training(loaded.trained_on, truth.id_space, ids)
    if loaded.trained_on is None or not seen:
        return []
    return [overlap_warning(seen, truth.split, len(ids), len(loaded.trained_on))]
