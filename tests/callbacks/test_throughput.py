"""Speeds by a clock that tests wind up; that they reach the loggers is tested with the dashboards."""

import mmap
from types import SimpleNamespace

import pytest
import torch

from densecap.callbacks import throughput
from densecap.callbacks.throughput import Throughput, memory, process_memory


class Logger:
    def __init__(self):
        self.rows = []

    def log_metrics(self, figures, step):
        self.rows.append((step, figures))


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=10.0)
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: clock.now)
    return clock


def test_speeds_are_those_between_two_logged_steps(clock, batch):
    """Two steps of two images with three regions, each after half a second of waiting, then a second of work."""
    logger = Logger()
    trainer = SimpleNamespace(loggers=[logger], log_every_n_steps=2, global_step=0, world_size=3)
    module = SimpleNamespace(device=torch.device("cpu"))
    callback = Throughput()
    callback.on_train_epoch_start(trainer, module)
    for step in range(4):
        clock.now += 0.5
        callback.on_train_batch_start(trainer, module, batch, step)
        clock.now += 1.0
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, None, batch, step)
        callback.on_validation_start(trainer, module)
        clock.now += 100.0  # validations are not counted
        callback.on_validation_end(trainer, module)
    assert [step for step, _ in logger.rows] == [1, 3]
    for _, figures in logger.rows:
        assert figures["speed/images_per_second"] == pytest.approx(3 * 4 / 3.0)
        assert figures["speed/regions_per_second"] == pytest.approx(3 * 6 / 3.0)
        assert figures["speed/data_wait_share"] == pytest.approx(1 / 3)


def test_memory_grows_with_what_is_kept():
    before = process_memory()
    kept = mmap.mmap(-1, 2**26)  # 64 MiB that nobody had before
    kept.write(b"1" * 2**26)
    assert 50 * 2**20 < process_memory() - before < 90 * 2**20
    assert memory(torch.device("cpu")) == {"memory/process_GiB": pytest.approx(process_memory() / 2**30, rel=0.05)}
    kept.close()
