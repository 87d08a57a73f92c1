"""``eval``: score a model, or predictions of any known format, on a split of a data set.

Writes report.json (``densecap.evaluation.schema``), report.html, sheet.jpg (some images and what was said of them) and,
with a model, predictions.json and, for the captions of true boxes, predictions_on_truth.json. With ``devices`` the
images are shared out among processes, of which the first writes and computes the figures of all. Exit status: 0, or 130
after Ctrl-C.
"""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from densecap.commands.fresh_folder import typed_keys
from densecap.commands.preprocess import prepare
from densecap.commands.run_record import output_folder
from densecap.data.hdf5 import RegionFile
from densecap.distributed import global_rank
from densecap.errors import UserError
from densecap.evaluation.figures import Choice
from densecap.evaluation.formats.table import read_predictions
from densecap.evaluation.result import Evaluation
from densecap.evaluation.schema import write_report
from densecap.evaluation.scoring import Inputs, evaluate
from densecap.evaluation.table import show
from densecap.evaluation.truth import Truth
from densecap.metrics.meteor import check_options
from densecap.report.page import write_page
from densecap.report.sheet import write_sheet

#: Options of metrics that count here; the others are for training.
METRIC_OPTIONS = (
    "metric.language_meteor.max_captions",
    "metric.proposal_recall.counts",
    "metric.proposal_recall.iou_thresholds",
    "metric.retrieval.num_marginal",
    "metric.retrieval.correction",
    "metric.retrieval.seed",
    "metric.retrieval.features",
)


def run(cfg: DictConfig) -> int:
    """Evaluate as the config says."""
    helps = global_rank() > 0 and cfg.get("devices") not in (None, 1)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True, quiet=helps)
    choice = _choice(cfg)
    given = cfg.get("predictions")
    if given and cfg.get("ckpt"):
        raise UserError("give ckpt=PATH to score a model or predictions=FILE to score a file, not both")
    if given and cfg.get("devices") not in (None, 1):
        raise UserError("devices shares out what a model does: give ckpt=PATH instead of predictions=FILE")
    if given and (cfg.rerank.name != "none" or cfg.exchange_images):
        raise UserError("rerank and exchange_images need a model: give ckpt=PATH instead of predictions=FILE")
    try:
        if given:
            predicted = read_predictions(Path(str(given)).expanduser())
            console.print(f"{predicted.path} is read as {predicted.format}")
            inputs = Inputs(_truth(cfg, console), predicted, strict=bool(cfg.check_coordinates))
            folder = output_folder(cfg)
        else:
            from densecap.commands.eval_model import find_model, help_on_split, run_on_split, suited_choice

            model = find_model(cfg, console)
            truth = _truth(cfg, console)
            choice = suited_choice(model, truth, choice)
            if model.is_helper:
                help_on_split(model, truth, choice, console)
                return 0
            folder = output_folder(cfg)
            outcome = run_on_split(cfg, model, truth, choice, folder, console)
            if outcome is None:
                return 130
            inputs = outcome
        inputs.meteor_backend, inputs.meteor_processes = str(cfg.meteor.backend), cfg.meteor.processes
        evaluation = evaluate(inputs, choice, console.print)
        _write(evaluation, folder, cfg.sheet_images or 0)
    except OSError as error:
        raise UserError(f"cannot write the evaluation: {error}") from error
    show(evaluation.report, Console(highlight=False, markup=False))
    console.print(f"written to {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return 0


def _choice(cfg: DictConfig) -> Choice:
    """Errors: UserError for a name that does not exist, or an option of a metric that has no effect here."""
    for key in typed_keys("metric."):
        if key not in METRIC_OPTIONS:
            raise UserError(
                f"{key} has no use in eval, which has convention=[...], meteor.backend and meteor.processes"
            )
    processes = 1 if cfg.meteor.processes is None else int(cfg.meteor.processes)
    check_options(str(cfg.meteor.backend), processes)  # before the model has worked for it
    conventions = (cfg.convention,) if isinstance(cfg.convention, str) else tuple(map(str, cfg.convention or ()))
    language = cfg.metric.get("language_meteor") or {}
    return Choice(tuple(map(str, cfg.metric)), conventions, str(cfg.protocol), language.get("max_captions"))


def _truth(cfg: DictConfig, console: Console) -> Truth:
    """The split, from the prepared file, which is made first when it is missing."""
    return Truth(RegionFile(prepare(cfg.data, console=console)), str(cfg.split), cfg.max_images)


def _write(evaluation: Evaluation, folder: Path, sheet_images: int) -> None:
    write_report(folder / "report.json", evaluation.report)
    if sheet_images > 0:
        write_sheet(folder / "sheet.jpg", evaluation, sheet_images)
    write_page(folder / "report.html", evaluation)
