"""Every logger receives losses, learning rates, speed, memory, figures, the configuration and the panel."""

import csv
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.callbacks.csv_table import CsvTable
from densecap.callbacks.hyperparameters import Hyperparameters
from densecap.callbacks.throughput import Throughput
from densecap.callbacks.validation_panel import ValidationPanel
from densecap.data.datamodule import CaptioningDataModule
from densecap.metrics.modules import BleuMetric
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.schedules import constant
from tests.conftest import miniature_captioner
from tests.fakes.recording_loggers import RecordingMlflow, RecordingWandb
from tests.fakes.region_file import write_fake

CONFIG = {"seed": 7, "choices": {"model/decoder": "lstm", "model": "tiny"}, "data": {"name": "fake"}, "empty": {}}
TRAINING = {f"train/loss_{name}" for name in ("objectness_proposal", "box_proposal", "objectness", "box", "caption")}
EXPECTED = {
    *TRAINING,
    "train/loss",
    *(name.replace("train", "val") for name in TRAINING),
    "val/loss",
    "lr-SGD/pg1",
    "lr-SGD/pg2",
    "speed/images_per_second",
    "speed/regions_per_second",
    "speed/data_wait_share",
    "memory/process_GiB",
    *(f"val/BLEU-{n}" for n in (1, 2, 3, 4)),
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two epochs of three steps, logged everywhere; returns folder, loggers and the panel callback."""
    folder = tmp_path_factory.mktemp("run")
    file = write_fake(folder / "a.h5", ["train"] * 6 + ["val"] * 4, [3] * 10, [(48, 64)] * 10)
    loggers = [
        CsvTable(str(folder)),
        TensorBoardLogger(folder, "tensorboard", version="", default_hp_metric=False),
        RecordingWandb(),
        RecordingMlflow(),
    ]
    panel = ValidationPanel(num_images=3, num_regions=2)
    metrics = CaptionMetrics({"bleu": BleuMetric()})
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=loggers,
        callbacks=[metrics, LearningRateMonitor("step"), Throughput(), Hyperparameters(), panel],
        max_epochs=2,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=folder,
    )
    model = miniature_captioner()
    model.detection, model.generation = DetectionSettings(max_detections=20), GenerationSettings(max_length=6)
    task = DenseCaptioningTask(model, partial(torch.optim.SGD, lr=1e-3), constant, config=CONFIG)
    trainer.fit(task, datamodule=CaptioningDataModule(file, 64, batch_size=2))
    return folder, loggers, panel


@pytest.fixture(scope="module")
def figures(trained):
    """What each logger holds: name -> [(step, value)]."""
    folder, loggers, _ = trained
    found = {}
    with (folder / "csv" / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                if text and name != "step":
                    found.setdefault(name, []).append((int(row["step"]), float(text)))
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    board = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return {"csv": found, "tensorboard": board, "wandb": loggers[2].figures, "mlflow": loggers[3].figures}


@pytest.mark.parametrize("logger", ["csv", "tensorboard", "wandb", "mlflow"])
def test_every_logger_holds_every_figure(figures, logger):
    assert set(figures[logger]) >= EXPECTED
    assert [step for step, _ in figures[logger]["train/loss"]] == [0, 1, 2, 3, 4, 5]
    assert [step for step, _ in figures[logger]["val/BLEU-4"]] == [2, 5]


def test_all_loggers_hold_the_same(figures):
    for name in EXPECTED:
        for logger in ("tensorboard", "wandb", "mlflow"):
            steps, values = zip(*figures[logger][name])
            expected_steps, expected = zip(*figures["csv"][name])
            assert steps == expected_steps and values == pytest.approx(expected, rel=1e-6), (logger, name)


def test_speed_is_what_it_says(figures):
    for _, images in figures["csv"]["speed/images_per_second"]:
        assert images > 0
    pairs = zip(figures["csv"]["speed/images_per_second"], figures["csv"]["speed/regions_per_second"])
    assert all(regions == pytest.approx(3 * images) for (_, images), (_, regions) in pairs)  # three an image
    assert all(0 <= share <= 1 for _, share in figures["csv"]["speed/data_wait_share"])


def test_every_logger_holds_the_configuration(trained):
    folder, loggers, _ = trained
    assert "seed: 7" in (folder / "csv" / "hparams.yaml").read_text()
    assert "seed: 7" in (folder / "tensorboard" / "hparams.yaml").read_text()
    assert loggers[2].hyperparameters == loggers[3].hyperparameters == CONFIG


def test_the_curves_are_drawn(trained):
    folder, loggers, _ = trained
    with Image.open(folder / "curves.png") as picture:
        assert picture.width > 1000
    assert loggers[0].heading == "tiny on fake"


def test_csv_gets_a_sheet_a_validation(trained):
    folder, _, _ = trained
    assert sorted(path.name for path in (folder / "panel").iterdir()) == ["epoch_1.jpg", "epoch_2.jpg"]


def test_tensorboard_gets_a_picture_an_image(trained):
    folder, _, panel = trained
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    assert sorted(events.Tags()["images"]) == sorted(f"panel/{image.image_id}" for image in panel.images)
    assert [event.step for event in events.Images(f"panel/{panel.images[0].image_id}")] == [3, 6]
    drawn = panel.images[0].drawn()
    assert (events.Images("panel/image6")[1].width, events.Images("panel/image6")[1].height) == drawn.size


def test_wandb_gets_photos_with_boxes(trained):
    _, loggers, panel = trained
    images = loggers[2].images
    assert set(images) == {f"panel/{image.image_id}" for image in panel.images}
    for image in panel.images:
        (_, _, _, _), (step, photo, boxes, caption) = images[f"panel/{image.image_id}"]
        assert (step, caption, photo.size) == (6, image.image_id, image.photo.size)
        for name, regions in (("predictions", image.predicted), ("ground_truth", image.true)):
            data = boxes[name]["box_data"]
            assert [item["box_caption"] for item in data] == [region.caption for region in regions]
            for item, region in zip(data, regions):
                corners = [item["position"][key] for key in ("minX", "minY", "maxX", "maxY")]
                assert corners == pytest.approx(region.box) and item["domain"] == "pixel"
                assert boxes[name]["class_labels"][item["class_id"]] == name.replace("ground_truth", "true").replace(
                    "predictions", "predicted"
                )


def test_mlflow_gets_sheets(trained):
    folder, loggers, _ = trained
    with Image.open(folder / "panel" / "epoch_2.jpg") as sheet:
        assert loggers[3].artifacts == {"panel/epoch_1.jpg": sheet.size, "panel/epoch_2.jpg": sheet.size}


def test_the_panel_is_fixed(trained):
    _, loggers, panel = trained
    assert [image.image_id for image in panel.images] == ["image6", "image8", "image9"]  # both ends and the middle
    for shown in loggers[2].images.values():
        assert np.array_equal(np.asarray(shown[0][1]), np.asarray(shown[1][1]))
