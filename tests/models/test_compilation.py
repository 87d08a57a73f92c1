"""Compiled parts give the same losses, and images of a new size compile nothing again."""

import copy

import pytest
import torch

from densecap.models.compilation import compile_parts
from densecap.structures import Batch, Regions
from tests.conftest import miniature_captioner
from tests.fakes.whole_images import noise, small_image_captioner
from tests.tasks.equal_devices import without_dropout

SIZES = [(48, 64), (64, 40), (56, 56), (80, 64), (64, 96), (72, 88), (40, 104), (64, 64)]


def batch_of(size, count=2):
    height, width = size
    images = torch.stack([noise(height, width, seed) for seed in range(count)])
    regions = [
        Regions(torch.tensor([[4.0, 4, 20 + n, 22], [0, 8, 30, 36]]), torch.tensor([[1, 2, 3], [4, 5, 0]]))
        for n in range(count)
    ]
    return Batch(images, [size] * count, regions, [str(n) for n in range(count)], [size] * count)


class Compiler:
    """Stands for inductor, and counts what it is given."""

    def __init__(self):
        self.graphs = 0

    def __call__(self, graph, inputs):
        self.graphs += 1
        return graph.forward


def losses(model, batch):
    torch.manual_seed(0)
    found = model.train()(batch, torch.Generator().manual_seed(0))
    sum(found.values()).backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}
    return {name: value.item() for name, value in found.items()}, gradients


@pytest.mark.parametrize("make", [miniature_captioner, small_image_captioner])
def test_new_sizes_compile_nothing_again(make):
    torch._dynamo.reset()
    plain = make()
    compiled, compiler = copy.deepcopy(plain), Compiler()
    compile_parts(compiled, backend=compiler)
    graphs = []
    for size in SIZES:
        wanted, gradients = losses(plain, batch_of(size))
        found, own = losses(compiled, batch_of(size))
        assert found == pytest.approx(wanted, rel=1e-5)
        assert own.keys() == gradients.keys()
        assert all(torch.allclose(own[name], gradients[name], rtol=1e-3, atol=1e-6) for name in own)
        graphs.append(compiler.graphs)
    assert 1 <= graphs[0] <= 4 and graphs[-1] == graphs[0], graphs
    assert set(compiled.state_dict()) == set(plain.state_dict())


@pytest.mark.long
@pytest.mark.parametrize("make", [miniature_captioner, small_image_captioner])
def test_training_and_validation_in_turns_compile_a_few_times_and_no_more(make):
    """Of images in any number; at torch's limit compiled code would be left without a word."""
    torch._dynamo.reset()
    compiled, compiler, graphs = make(), Compiler(), []
    compile_parts(compiled, backend=compiler)
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        for sizes in (SIZES[:3], SIZES[3:6], SIZES[6:]):
            for count, size in zip((2, 1, 3), sizes):
                losses(compiled, batch_of(size, count))
                with torch.no_grad():
                    compiled.eval()(batch_of(size, count), torch.Generator().manual_seed(0))
            graphs.append(compiler.graphs)
    assert graphs[0] <= 12 and graphs[2] == graphs[1], graphs


@pytest.mark.long
def test_inductors_code_is_right_for_every_size():
    """Without dropout, for which its code draws random numbers of its own."""
    torch._dynamo.reset()
    plain = without_dropout(miniature_captioner())
    compiled = copy.deepcopy(plain)
    compile_parts(compiled)
    for size in SIZES[:3]:
        wanted, _ = losses(plain, batch_of(size))
        assert losses(compiled, batch_of(size))[0] == pytest.approx(wanted, rel=1e-4)
