"""The least arithmetic a part takes, from the shapes of its layers.

Counted are the products of convolutions and matrix products, two operations (a product and a sum) each; everything
else a model does is small beside them. The layers are run on tensors without storage, so nothing is computed, and
torch's own counter reads the shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from densecap.models.decoders.base import Decoder
from densecap.models.dense_captioner import DenseCaptioner
from densecap.ops.without_storage import without_storage

#: (height, width) in pixels.
Size = tuple[int, int]


def count_operations(function: Callable[[], object]) -> int:
    """Operations of all matrix products and convolutions that ``function`` runs, forwards and backwards."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def backbone_operations(model: DenseCaptioner, sizes: Sequence[Size]) -> int:
    """Operations of the feature maps of images of these sizes."""
    network = without_storage(model.backbone)
    with torch.no_grad():
        return count_operations(lambda: [network(_image(size)) for size in sizes])


def proposal_operations(model: DenseCaptioner, sizes: Sequence[Size]) -> int:
    """Operations of the region proposal network on images of these sizes."""
    backbone, layer = without_storage(model.backbone), without_storage(model.localization)
    with torch.no_grad():
        maps = [backbone(_image(size)) for size in sizes]
        return count_operations(lambda: [layer.propose(item) for item in maps])


def recognition_operations(model: DenseCaptioner, regions: int) -> int:
    """Operations from pooled features to codes, scores and boxes of so many regions."""
    network = without_storage(model.recognition)

    def recognise() -> None:
        codes = network(_pooled(model, 1))
        network.objectness(codes)
        network.box(codes)

    with torch.no_grad():
        return regions * count_operations(recognise)


def decoding_operations(decoder: Decoder, regions: int, words: int, length: int) -> float:
    """Operations that describe so many regions by so many words (END counts), of captions of ``length`` steps.

    A step of a transformer grows with its place in the caption; the mean over ``length`` steps is taken.
    """
    network = without_storage(decoder)
    features = torch.empty(1, decoder.feature_dim, device="meta")
    token = torch.zeros(1, dtype=torch.int64, device="meta")

    def describe() -> None:
        state = network.init_state(features)
        for _ in range(length):
            _, state = network.step(token, state)

    with torch.no_grad():
        beginning = count_operations(lambda: network.init_state(features))
        every_step = count_operations(describe) - beginning
    return regions * beginning + words * every_step / max(length, 1)


def training_operations(
    model: DenseCaptioner, sizes: Sequence[Size], regions: int, captions: int, length: int, words: int
) -> int:
    """Operations of the losses of one step and their gradients; frozen layers have none.

    ``regions`` sampled over all images, of which ``captions`` are described by at most ``length`` words; ``words`` in
    all (END counts). The gradient reaches the pooled features, because boxes are learnt through them. Of the optimiser
    nothing is counted: it computes no products of matrices.
    """
    network = without_storage(model).train()

    def step() -> None:
        outputs = []
        for size in sizes:
            for proposals in network.localization.propose(network.backbone(_image(size))):
                outputs += [proposals.transforms, proposals.scores]
        codes = network.recognition(_pooled(model, regions).requires_grad_())
        positive = codes[:captions]
        tokens = torch.zeros(captions, length, dtype=torch.int64, device="meta")
        hidden = network.decoder.hidden_states(positive, tokens)
        scored = hidden.reshape(captions * (length + 1), hidden.shape[-1])[:words]
        outputs += [network.recognition.objectness(codes), network.recognition.box(positive)]
        outputs += [network.decoder.output(scored)]
        torch.stack([output.sum() for output in outputs]).sum().backward()

    with torch.enable_grad():
        return count_operations(step)


def _image(size: Size) -> torch.Tensor:
    return torch.empty(1, 3, *size, dtype=torch.uint8, device="meta")


def _pooled(model: DenseCaptioner, regions: int) -> torch.Tensor:
    side = model.localization.pool_size
    return torch.empty(regions, model.backbone.out_channels, side, side, device="meta")
