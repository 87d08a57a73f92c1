"""Two processes that hold a share of the weights each (FSDP2) do what one device does."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from densecap.callbacks.weight_average import EqualAverage, MovingAverage
from densecap.errors import UserError
from densecap.tasks.sharding import FullySharded, spread_if_asked, state_by_name
from tests.tasks.equal_devices import fit, task_of
from tests.tasks.test_equal_devices import close, region_file, two_processes


@pytest.mark.long
def test_two_shares_and_one_device(tmp_path):
    file = region_file(tmp_path)
    first, second = two_processes(file, tmp_path, "dense", "sharded")
    _, alone = fit(file, "dense", 1)
    shares = [(share, second["shares"][name]) for name, share in first["shares"].items()]
    assert all(sum(pair) == pytest.approx(1) for pair in shares), "together they have everything"
    assert sum(pair == (0.5, 0.5) for pair in shares) > len(shares) / 2  # what has an even number of rows
    for rank in (first, second):
        for one, other in zip(rank["steps"], alone["steps"], strict=True):
            close(one, other)
        close(rank["weights"], alone["weights"], 1e-4)
        for one, other in zip(rank["validations"], alone["validations"], strict=True):
            close(one, other, 1e-4)


@pytest.mark.parametrize("average", [partial(MovingAverage, decay=0.9), EqualAverage])
def test_averages_are_refused_before_training(average):
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy=FullySharded(), callbacks=[average()], logger=False)
    with pytest.raises(UserError, match="trainer=fsdp has no whole weights to average: choose trainer=ddp"):
        spread_if_asked(task_of("dense"), trainer)


def test_an_optimizers_state_belongs_to_weights_by_their_places_in_its_groups():
    """Whatever numbers the file gives them: those of one device, or Lightning's own of a spread model."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    last, first = list(model[1].parameters()), list(model[0].parameters())
    optimizer = torch.optim.Adam([{"params": last}, {"params": first, "lr": 0.5}])
    model(torch.randn(4, 2)).sum().backward()
    optimizer.step()
    plain = optimizer.state_dict()
    assert plain["param_groups"][0]["params"] == [0, 1], "places in the optimiser, where the last layer comes first"
    numbers = {0: 2, 1: 3, 2: 0, 3: 1}  # places in the model
    spread = {
        "state": {numbers[key]: value for key, value in plain["state"].items()},
        "param_groups": [
            {**group, "params": [numbers[key] for key in group["params"]]} for group in plain["param_groups"]
        ],
    }
    for saved in (plain, spread):
        named = state_by_name(saved, optimizer, model)
        assert [group["params"] for group in named["param_groups"]] == [["1.weight", "1.bias"], ["0.weight", "0.bias"]]
        for name, parameter in model.named_parameters():
            assert named["state"][name]["exp_avg"].equal(optimizer.state[parameter]["exp_avg"])
