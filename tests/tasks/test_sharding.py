"""Two processes that hold a share of the weights each (FSDP2) do what one device does."""

import pytest

from tests.tasks.equal_devices import fit
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
