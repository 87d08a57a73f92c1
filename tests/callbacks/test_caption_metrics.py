"""Figures during validation are what the pure functions say of the same model's predictions."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.caption_metrics import CaptionMetrics
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.data.images import read_image
from densecap.metrics.bleu import bleu
from densecap.metrics.cider import cider
from densecap.metrics.dense_map.evaluation import score_dense_captions
from densecap.metrics.dense_map.records import DenseRecord
from densecap.metrics.dense_modules import DenseMapMetric, LanguageMeteorMetric, ProposalRecallMetric
from densecap.metrics.detection import proposal_recall
from densecap.metrics.language_meteor import language_meteor
from densecap.metrics.meteor import MeteorUnavailable, shared
from densecap.metrics.modules import BleuMetric, CiderMetric, MeteorMetric, PerplexityMetric, RougeLMetric
from densecap.metrics.rouge_l import rouge_l
from densecap.models.generation import GenerationSettings, score_captions
from densecap.models.inference import proposals_of
from densecap.models.settings import DetectionSettings
from densecap.tasks.dense_captioning import DenseCaptioningTask
from densecap.tasks.schedules import constant
from tests.fakes.region_file import write_fake
from tests.metrics.test_dense_map import scorer

VAL = 5


@pytest.fixture
def model(make_captioner):
    """A random model that says six words a box; its biases make captions vary between boxes."""
    return settle(make_captioner())


def settle(model):
    model.detection = DetectionSettings(max_detections=20)
    model.generation = GenerationSettings(max_length=6)
    with torch.no_grad():
        model.decoder.output.weight *= 20
    return model.eval()


@pytest.fixture
def file(tmp_path, model):
    """Five validation images of half their original size; the truth is much like what the model finds in them."""
    path = write_fake(tmp_path / "a.h5", ["train"] * 4 + ["val"] * VAL, [1] * 4 + [4] * VAL, [(48, 64)] * (4 + VAL))
    return plant(path, model)


def plant(path, model):
    source = RegionFile(path)
    boxes, captions, generator = [], [], np.random.default_rng(0)
    for index in range(len(source)):
        found = model.caption_images([read_image(source.image_bytes(index))])[0]
        for number in range(source.region_counts[index]):
            region = found[number // 2 * 3 % len(found)]  # two phrases a place
            box = np.array(region.box) * 2 + generator.uniform(0, 3, 4)
            boxes.append(np.clip(box, 0, (128, 96, 128, 96)))
            words = region.caption.split()
            captions.append(" ".join([*words[: len(words) - number], "Indeed."]))
    source.close()
    with h5py.File(path, "r+") as content:
        content["images/original_sizes"][...] = 2 * content["images/sizes"][...]
        content["regions/boxes"][...] = np.array(boxes)
        content["regions/captions"][...] = captions
    return path


def task_of(model):
    return DenseCaptioningTask(model, partial(torch.optim.SGD, lr=1e-3), constant)


def trainer_for(folder, *callbacks, **options):
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=folder,
        **options,
    )


def validated(model, file, folder, metrics, batch_size=2, **options):
    callback = CaptionMetrics(metrics, **options)
    trainer = trainer_for(folder, callback)
    trainer.validate(task_of(model), datamodule=CaptioningDataModule(file, 64, batch_size), verbose=False)
    assert callback.figures.items() <= {key: float(value) for key, value in trainer.callback_metrics.items()}.items()
    return callback


def images_of(file):
    source = RegionFile(file)
    return source, [(int(index), read_image(source.image_bytes(index))) for index in source.indices("val")]


def records_of(model, file):
    source, images = images_of(file)
    for index, image in images:
        found = model.caption_images([image])[0]
        boxes = np.array([region.box for region in found]) * 2
        captions, scores = [region.caption for region in found], np.array([region.score for region in found])
        truth = source.regions(index)[0], source.captions(index)
        yield DenseRecord(source.ids[index], 128, 96, boxes, scores, captions, *truth)


def same(value):
    return pytest.approx(value, abs=1e-9)


def test_predicted_boxes(model, file, tmp_path):
    metrics = {"dense_map": DenseMapMetric(scorer), "language_meteor": LanguageMeteorMetric(scorer)}
    figures = validated(model, file, tmp_path, metrics | {"recall": ProposalRecallMetric([300], [0.5])}).figures
    records = list(records_of(model, file))
    score = score_dense_captions(records, scorer, ["standard"])["standard"]
    assert 0.05 < score.mean_ap < score.detection_mean_ap
    assert figures["val/dense_mAP"] == same(score.mean_ap)
    assert figures["val/detection_mAP"] == same(score.detection_mean_ap)
    language = language_meteor([r.captions for r in records], [r.truth_captions for r in records], scorer)
    assert figures["val/language_METEOR"] == same(language.mean)
    source, images = images_of(file)
    proposals = [proposals_of(model, [image])[0] * 2 for _, image in images]
    truth = [torch.from_numpy(source.regions(index)[0]) for index, _ in images]
    assert figures["val/recall@300_iou0.5"] == same(proposal_recall(proposals, truth, 0.5))


def test_captions_for_true_boxes(model, file, tmp_path):
    """The two phrases of a place are both references of both its boxes; the words are raw."""
    metrics = {
        "bleu": BleuMetric(),
        "cider": CiderMetric(),
        "rouge_l": RougeLMetric(),
        "perplexity": PerplexityMetric(),
    }
    callback = validated(model, file, tmp_path, metrics)
    source, images = images_of(file)
    candidates, references, log_prob, tokens = [], [], 0.0, 0
    for index, image in images:
        boxes, ids, lengths = source.regions(index)
        raw = [caption.replace("Indeed.", "indeed") for caption in source.captions(index)]
        candidates += [region.caption for region in model.caption_boxes([image], [torch.from_numpy(boxes) / 2])[0]]
        references += [raw[:2], raw[:2], raw[2:], raw[2:]]
        codes = model.recognition(
            model.localization.pool(
                model.feature_maps(image[None], [(48, 64)]), [torch.from_numpy(boxes) / 2], [(48, 64)]
            )
        )
        log_prob += float(score_captions(model.decoder, codes, torch.from_numpy(ids.astype(np.int64))).sum())
        tokens += int((lengths + 1).sum())
    expected = {f"val/BLEU-{n}": same(float(v)) for n, v in enumerate(bleu(candidates, references).corpus, 1)}
    expected |= {"val/CIDEr": same(cider(candidates, references).corpus)}
    expected |= {"val/ROUGE-L": same(rouge_l(candidates, references).corpus)}
    expected |= {"val/perplexity": pytest.approx(np.exp(-log_prob / tokens), rel=1e-5)}
    assert callback.figures == expected
    assert 0.3 < callback.figures["val/BLEU-4"] < 1
    assert callback.names == list(expected)


@pytest.mark.parametrize("batch_size", [1, 3, 5])
def test_batches_change_nothing(model, file, tmp_path, batch_size):
    def metrics():
        return {"dense_map": DenseMapMetric(scorer), "cider": CiderMetric()}

    alone = validated(model, file, tmp_path, metrics(), batch_size=1).figures
    assert validated(model, file, tmp_path, metrics(), batch_size=batch_size).figures == alone


def test_only_so_many_images_are_described(model, file, tmp_path):
    callback = validated(model, file, tmp_path, {"dense_map": DenseMapMetric(scorer)}, num_images=3)
    assert list(callback.metrics["dense_map"].records) == ["image4", "image5", "image6"]
    score = score_dense_captions(list(records_of(model, file))[:3], scorer, ["standard"])["standard"]
    assert callback.figures["val/dense_mAP"] == same(score.mean_ap)


def test_a_repeated_image_counts_once(model, file, tmp_path):
    metrics = {"dense_map": DenseMapMetric(scorer), "bleu": BleuMetric()}
    once = validated(model, file, tmp_path, metrics).figures
    callback = CaptionMetrics(metrics)
    batch = CaptioningDataModule(file, 64, 2).dataset("val").batch([0, 1, 2, 3, 4, 0, 3])
    trainer = SimpleNamespace(
        datamodule=SimpleNamespace(file=file), sanity_checking=False, precision_plugin=pl.plugins.precision.Precision()
    )
    task = SimpleNamespace(model=model)
    callback.on_validation_epoch_start(trainer, task)
    callback.on_validation_batch_end(trainer, task, None, batch, 0)
    repeated = {f"val/{name}": value for metric in metrics.values() for name, value in metric.summary().items()}
    assert repeated == once


def test_no_random_number_of_training_is_used(model, file, tmp_path):
    """Also where words are drawn at random: they are the same in every epoch."""
    model.generation = GenerationSettings(max_length=6, temperature=2.0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = validated(model, file, tmp_path, {"bleu": BleuMetric(), "dense_map": DenseMapMetric(scorer)}).figures
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert (
        validated(model, file, tmp_path, {"bleu": BleuMetric(), "dense_map": DenseMapMetric(scorer)}).figures == first
    )


def test_training_goes_on_as_without_it(make_captioner, file, tmp_path):
    def losses(*callbacks):
        record = Record()
        trainer = trainer_for(tmp_path, record, *callbacks, max_epochs=3)
        torch.manual_seed(7)
        trainer.fit(task_of(make_captioner()), datamodule=CaptioningDataModule(file, 64, 2))
        return record.losses

    callback = CaptionMetrics({"dense_map": DenseMapMetric(scorer), "cider": CiderMetric()})
    assert losses(callback) == losses() and len(losses()) == 6
    assert set(callback.figures) == {"val/dense_mAP", "val/detection_mAP", "val/CIDEr"}


class Record(pl.Callback):
    def __init__(self):
        self.losses = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(outputs["loss"].item())


def test_without_meteor_everything_else_is_reported(make_captioner, model, file, tmp_path, monkeypatch, capsys):
    def missing():
        raise MeteorUnavailable("METEOR needs this and that: install densecap[meteor]")

    monkeypatch.setattr(shared, "find_files", missing)
    metrics = {
        "dense_map": DenseMapMetric(),
        "language_meteor": LanguageMeteorMetric(),
        "meteor": MeteorMetric(),
        "bleu": BleuMetric(),
    }
    callback = CaptionMetrics(metrics)
    assert callback.names == ["val/detection_mAP", *(f"val/BLEU-{order}" for order in range(1, 5))]
    trainer = trainer_for(tmp_path, callback, max_epochs=2)
    trainer.fit(task_of(make_captioner()), datamodule=CaptioningDataModule(file, 64, 2))
    assert list(callback.figures) == callback.names
    told = capsys.readouterr().out
    assert told.count("install densecap[meteor]") == 1 and "metric=[dense_map,language_meteor,meteor]" in told
    figures = validated(model, file, tmp_path, {"dense_map": DenseMapMetric()}).figures
    score = score_dense_captions(list(records_of(model, file)), scorer, ["standard"])["standard"]
    assert figures == {"val/detection_mAP": same(score.detection_mean_ap)}


def test_a_model_whose_numbers_are_not_finite_finds_nothing(model, file, tmp_path):
    with torch.no_grad():
        model.recognition.fc6.weight[:] = torch.nan
    metrics = {"dense_map": DenseMapMetric(scorer), "bleu": BleuMetric()}
    figures = validated(model, file, tmp_path, metrics).figures
    assert figures["val/dense_mAP"] == figures["val/detection_mAP"] == 0
    assert figures["val/BLEU-1"] == pytest.approx(0, abs=1e-6)


def test_images_without_truth(model, tmp_path):
    """Nothing to find is no figure, and no crash."""
    file = write_fake(tmp_path / "b.h5", ["val"] * 2, [0, 0], [(48, 64)] * 2)
    callback = CaptionMetrics({"dense_map": DenseMapMetric(scorer), "cider": CiderMetric()})
    trainer = trainer_for(tmp_path, callback)
    trainer.validate(task_of(model), datamodule=CaptioningDataModule(file, 64, 2), verbose=False)
    assert np.isnan(callback.figures["val/dense_mAP"]) and callback.figures["val/CIDEr"] == 0


SCRIPT = """
import json, sys, torch, pytorch_lightning as pl
sys.path.insert(0, sys.argv[1])
from tests.callbacks.test_caption_metrics import *
from densecap import checkpoint
from tests.conftest import miniature_captioner

file, folder, processes = sys.argv[2], sys.argv[3], int(sys.argv[4])
model = miniature_captioner()
settle(model)
metrics = {
    "dense_map": DenseMapMetric(), "meteor": MeteorMetric(), "cider": CiderMetric(), "bleu": BleuMetric(),
    "rouge_l": RougeLMetric(), "perplexity": PerplexityMetric(), "recall": ProposalRecallMetric(),
    "language_meteor": LanguageMeteorMetric(max_captions=5),
}
callback = CaptionMetrics(metrics, num_images=4)
trainer = trainer_for(folder, callback, max_epochs=1, devices=processes, strategy="ddp" if processes > 1 else "auto")
task = task_of(model)
data = CaptioningDataModule(file, 64, 2)
if processes > 1:
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint(f"{folder}/trained.ckpt", weights_only=True)
else:
    model.load_state_dict(checkpoint.weights_of(torch.load(f"{folder}/trained.ckpt", weights_only=True)))
    trainer.validate(task, datamodule=data, verbose=False)
counts = {name: sorted(metric.records) for name, metric in metrics.items()}
with open(f"{folder}/{processes}_{trainer.global_rank}.json", "w") as output:
    json.dump([callback.figures, counts], output)
"""


@pytest.mark.long
def test_two_processes_report_what_one_does(model, file, tmp_path):
    """Five images on two processes, of which a sampler repeats one and the first four are described."""
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[2]
    for processes in (2, 1):
        command = [sys.executable, tmp_path / "script.py", root, file, tmp_path, str(processes)]
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, cwd=root, env=environment, timeout=280)
    (one, all_records), *ranks = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1_0", "2_0", "2_1"))
    assert one["val/dense_mAP"] > 0.02 and one["val/METEOR"] > 0.02
    for figures, records in ranks:
        assert figures == pytest.approx(one, abs=1e-12)
        assert 0 < len(records["dense_map"]) < 4
    for name, keys in all_records.items():
        assert sorted({key for _, records in ranks for key in records[name]}) == keys
