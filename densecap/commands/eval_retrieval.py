"""The part of ``eval`` that compares all images of a split with all sentences: ``metric=[retrieval]``."""

from __future__ import annotations

import time
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from densecap.builder import build
from densecap.checkpoint import LoadedModel
from densecap.commands.progress import model_progress, pair_progress
from densecap.evaluation.image_vectors import ImageVectors
from densecap.evaluation.joining import counted
from densecap.evaluation.retrieval import drawn_for_marginal, retrieval_figures, split_sentences
from densecap.evaluation.truth import Truth
from densecap.metrics.retrieval_settings import RetrievalSettings
from densecap.models.image_captioner import ImageCaptioner

#: Seconds of work after which it is told how long all of it will take.
ESTIMATE_AFTER = 5.0


class Estimate:
    """Says once, after the first seconds of work, how long all of it takes."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.first: tuple[float, int] | None = None
        self.said = False

    def __call__(self, done: int, total: int) -> None:
        now = time.perf_counter()
        if self.first is None:
            self.first = now, done
        start, before = self.first
        if not self.said and now - start >= ESTIMATE_AFTER and done > before:
            self.said = True
            self.console.print(f"retrieval takes about {duration((now - start) * total / (done - before))}")


def duration(seconds: float) -> str:
    """As "40 s", "25 minutes" or "3.5 hours"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 100 * 60 else f"{seconds / 3600:.1f} hours"


def retrieval_on_split(cfg: DictConfig, loaded: LoadedModel, truth: Truth, console: Console) -> dict[str, Any]:
    """Figures of both directions, and ``seconds``. Errors: UserError for settings or features that do not fit."""
    model = loaded.model
    assert isinstance(model, ImageCaptioner)
    settings: RetrievalSettings = build(cfg.metric.retrieval)
    vectors = ImageVectors(loaded, truth.region_file, settings.features, int(cfg.batch_size))
    sentences = split_sentences(truth, model.vocabulary, model.decoder.max_length)
    drawn = drawn_for_marginal(truth, settings)
    rows = [*(image.index for image in truth.images), *drawn]
    _announce(console, truth, len(sentences[1]), drawn, model.decoder.late_fusion)
    start = time.perf_counter()
    with model_progress(console) as progress:
        bar = progress.add_task("reading images", total=len(rows))
        features = vectors(rows, lambda count: progress.advance(bar, count))
    with pair_progress(console) as progress:
        bar, estimate = progress.add_task("comparing", total=None), Estimate(progress.console)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)
            estimate(done, total)

        own, training = features[: len(truth.images)], features[len(truth.images) :]
        figures = retrieval_figures(model.decoder, own, training, sentences, settings.correction, report)
    seconds = time.perf_counter() - start
    console.print(f"compared all images with all sentences in {duration(seconds)}")
    return {**figures, "seconds": round(seconds, 3)}


def _announce(console: Console, truth: Truth, num_sentences: int, drawn: list[int], late: bool) -> None:
    images, sentences = counted(len(truth.images), "image"), counted(num_sentences, "sentence")
    console.print(f"retrieval: {images} and {len(drawn):,} training images, each with {sentences}")
    if not late:
        console.print(
            "this decoder's memory sees the image, so every sentence is read to every image, which takes very long; "
            "fewer images: max_images=100 metric.retrieval.num_marginal=100"
        )
