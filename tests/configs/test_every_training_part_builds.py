"""What ``train`` puts together beside the model is built of every member by the command's own functions, and used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from densecap.builder import build
from densecap.commands import train
from densecap.data.datamodule import CaptioningDataModule
from densecap.data.hdf5 import RegionFile
from densecap.errors import UserError
from tests.configs.data_sets import write_data_set
from tests.configs.yaml_files import composed, each_of, need_package
from tests.fakes.region_file import write_fake
from tests.fakes.whole_images import small_image_captioner

pytestmark = pytest.mark.usefixtures("folder")

#: Trainers of devices that a test does not find everywhere: bound to their signature by test_every_config, and built
#: here with one processor in the place of these devices.
NOT_HERE = {"ddp", "fsdp", "gpu", "mps", "slurm"}


def of_train(*options: str):
    return composed("train", *options)


def one_weight() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(1))]


@each_of("data")
def test_every_data_set_is_prepared_and_read(name, folder):
    config = of_train(f"data={name}", *write_data_set(name, folder / "data"))
    data = train._data(config)
    assert RegionFile(data.file).attrs["name"] == config.data.name and len(data.vocabulary) > 2
    for loader in (data.train_dataloader(), data.val_dataloader()):
        batch = next(iter(loader))
        assert max(batch.images.shape[-2:]) <= config.data.image_size
        assert len(batch.regions[0].boxes) > 0 and batch.regions[0].tokens.max() > 0


@each_of("optimizer")
def test_every_optimizer_takes_a_step(name):
    (weight,) = one_weight()
    optimizer = train._optimizer(of_train(f"optimizer={name}"))([weight])
    weight.square().sum().backward()
    optimizer.step()
    assert weight.item() < 1


@each_of("scheduler")
def test_every_scheduler_follows_an_optimizer(name):
    optimizer = torch.optim.SGD(one_weight(), lr=2.0)
    scheduler = build(of_train(f"scheduler={name}").scheduler, warmup_steps=4)(optimizer, total_steps=10)
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(4):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0] and 0 < rates[4] <= 2.0


@each_of("task")
def test_every_task_trains_one_kind_of_model(name, make_captioner):
    """And refuses the other in a sentence."""
    config = composed("train", f"task={name}")
    plain = {"choices": {"task": name, "model": "mine"}}
    model, other = make_captioner(), small_image_captioner()
    if name != "dense_captioning":
        model, other = other, model
    task = train._task(config, plain, model)
    assert task.model is model and task.config == plain and task.weights.caption == config.task.weights.caption
    task._trainer = SimpleNamespace(estimated_stepping_batches=5)
    assert isinstance(task.configure_optimizers()["optimizer"], torch.optim.Adam)
    with pytest.raises(UserError, match=f"task={name} does not train model=mine, which .*: leave task away"):
        train._task(config, plain, other)


@each_of("trainer")
def test_every_trainer_builds(name):
    config = of_train(f"trainer={name}")
    config.trainer.update({"accelerator": "cpu", "devices": 1} if name in NOT_HERE else {})
    trainer = build(config.trainer, logger=False, enable_model_summary=False)
    assert trainer.max_epochs == config.trainer.max_epochs and trainer.default_root_dir == "RUN"
    strategy = {"ddp": "DDPStrategy", "ddp_cpu": "DDPStrategy", "slurm": "DDPStrategy", "fsdp": "FullySharded"}
    if name != "default":
        assert type(trainer.strategy).__name__ == strategy.get(name, "SingleDeviceStrategy")
        assert trainer.num_devices == config.trainer.devices


@each_of("callbacks")
@pytest.mark.parametrize("whole", [False, True])
def test_every_set_of_callbacks_goes_into_a_trainer(name, whole, folder, make_captioner):
    model = small_image_captioner() if whole else make_captioner()
    config = of_train(f"callbacks={name}")
    config.trainer.accelerator = "cpu"
    file = write_fake(folder / "a.h5", ["train", "val"], [2, 2], [(48, 64)] * 2)
    callbacks = train._callbacks(config, CaptioningDataModule(file, 64), model)
    wanted = [node._target_.rpartition(".")[2] for node in config.callbacks.values() if node]
    assert sorted(type(item).__name__ for item in callbacks) == sorted(wanted)
    trainer = build(config.trainer, callbacks=callbacks, logger=True, enable_model_summary=False)
    assert set(map(type, callbacks)) <= set(map(type, trainer.callbacks))


@each_of("logger")
def test_every_logger_builds(name):
    need_package(f"logger/{name}")
    config = of_train(f"logger={name}")
    loggers = [build(node) for node in config.logger.values()]
    assert len(loggers) == (0 if name == "none" else 1)
    for logger in loggers:
        assert isinstance(logger, pl.loggers.Logger) and logger.save_dir
    if name in ("csv", "tensorboard"):  # the others start a service: tests/commands/test_dashboards_process.py
        loggers[0].log_metrics({"val/loss": 1.0}, step=1)
        loggers[0].finalize("success")
        assert [path for path in Path("RUN", name).iterdir() if path.is_file()]


@each_of("debug")
def test_every_way_of_debugging_gives_a_trainer(name, folder, make_captioner):
    config = of_train(f"debug={name}")
    config.trainer.update({"accelerator": "cpu", "devices": 1})  # profile looks at whatever there is
    file = write_fake(folder / "a.h5", ["train", "val"], [2, 2], [(48, 64)] * 2)
    callbacks = train._callbacks(config, CaptioningDataModule(file, 64), make_captioner())
    trainer = build(config.trainer, callbacks=callbacks, logger=False, enable_model_summary=False)
    assert config.logger == {} and isinstance(trainer, pl.Trainer)
    assert bool(config.draw_batches) is (name == "data") and bool(trainer.fast_dev_run) is (name == "fast")
