"""Properties of the whole model: sizes, losses at the start, independence of batch mates, empty cases."""

import math

import pytest
import torch

from densecap.errors import UserError
from densecap.models.generation import GenerationSettings
from densecap.models.losses import LossWeights
from densecap.models.settings import DetectionSettings
from densecap.ops.boxes import box_iou
from densecap.structures import Batch, Regions

LOSSES = {"objectness_proposal", "box_proposal", "box_decay", "objectness", "box", "caption"}


def alone(batch, index):
    height, width = batch.image_sizes[index]
    return Batch(
        batch.images[index : index + 1, :, :height, :width],
        [(height, width)],
        [batch.regions[index]],
        [batch.image_ids[index]],
        [(height, width)],
    )


def test_losses_at_the_start(make_captioner, batch):
    """Log 2 where nothing is known yet: twice for the proposals, whose classes are averaged apart."""
    model = make_captioner().eval()
    losses = model(batch, torch.Generator().manual_seed(0))
    assert set(losses) == LOSSES
    assert losses["objectness_proposal"].item() == pytest.approx(2 * math.log(2), abs=0.1)
    assert losses["objectness"].item() == pytest.approx(math.log(2), abs=0.1)
    assert losses["box_decay"].item() == 0  # the box branch starts at zero


def test_caption_loss_per_target_token_starts_near_log_v(make_captioner, batch):
    model = make_captioner().eval()
    torch.nn.init.normal_(model.decoder.output.weight, std=0.01)
    torch.nn.init.zeros_(model.decoder.output.bias)
    batch.regions = [Regions(item.boxes[:1], item.tokens[:1, :4]) for item in batch.regions]
    batch.regions[0].tokens[:] = torch.tensor([1, 2, 3, 4])  # five targets each, END included
    loss = model(batch)["caption"].item()
    assert loss / 5 == pytest.approx(math.log(31), abs=0.1)


def test_every_parameter_learns(make_captioner, batch):
    model = make_captioner().train()
    for parameter in (model.recognition.box.weight, model.localization.network.box_branch.weight):
        torch.nn.init.normal_(parameter, std=0.01)
    LossWeights().objective(model(batch)).backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert missing == []


def test_the_reported_total_leaves_the_decay_out():
    losses = {name: torch.tensor(1.0) for name in LOSSES}
    assert LossWeights().total(losses).item() == pytest.approx(0.1 + 0.05 + 0.1 + 0.1 + 1.0)
    assert LossWeights().objective(losses).item() == pytest.approx(2.35)


def test_the_decay_pulls_raw_transforms_to_zero(make_captioner, batch):
    """Its gradient is w * x, as the original's regularising layer adds it."""
    model = make_captioner()
    torch.nn.init.normal_(model.localization.network.box_branch.bias, std=0.1)
    one = alone(batch, 0)
    proposals = model.localization.propose(model.backbone(one.images))[0]
    raw = proposals.transforms
    raw.retain_grad()
    _, terms = model.localization.sample(proposals, one.regions[0].boxes, (48, 64))
    terms["decay"].sum().backward()
    assert torch.allclose(raw.grad, 5e-5 * raw.detach())


def test_batch_mates_and_padding_change_nothing(make_captioner, batch):
    model = make_captioner().eval()
    together = model.detect(batch.images, batch.image_sizes)
    for index in range(2):
        single = model.detect(alone(batch, index).images, [batch.image_sizes[index]])[0]
        assert torch.allclose(together[index].boxes, single.boxes, atol=1e-4)
        assert torch.allclose(together[index].logits, single.logits, atol=1e-5)


def test_detections_are_ranked_inside_the_image_and_apart(make_captioner, batch):
    model = make_captioner().eval()
    torch.nn.init.normal_(model.recognition.box.weight, std=0.05)
    found = model.detect(batch.images, batch.image_sizes, DetectionSettings(final_nms_iou=0.3))
    for item, (height, width) in zip(found, batch.image_sizes):
        assert len(item.boxes) > 1
        assert (item.logits.diff() <= 0).all()
        assert (item.boxes >= 0).all() and (item.boxes[:, 2] <= width).all() and (item.boxes[:, 3] <= height).all()
        overlap = box_iou(item.boxes, item.boxes).fill_diagonal_(0)
        assert overlap.max() <= 0.3 + 1e-6


def test_limits_and_thresholds(make_captioner, batch):
    model = make_captioner().eval()
    found = model.detect(batch.images, batch.image_sizes, DetectionSettings(max_detections=2, max_proposals=5))
    assert all(len(item.boxes) <= 2 for item in found)
    nothing = DetectionSettings(score_threshold=1.0)
    assert model.caption_images([batch.images[0], batch.images[1]], nothing) == [[], []]
    with pytest.raises(UserError, match="final_nms_iou"):
        DetectionSettings(final_nms_iou=3)


def test_an_image_without_regions_trains(make_captioner, batch):
    model = make_captioner()
    batch.regions = [Regions(torch.zeros(0, 4), torch.zeros(0, 4, dtype=torch.long)) for _ in range(2)]
    losses = model(batch)
    assert losses["caption"].item() == 0 and losses["box"].item() == 0
    LossWeights().objective(losses).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_boxes_come_back_in_pixels_of_the_given_image(make_captioner):
    """An enlarged image gives the same boxes, enlarged: the model sees the same resized picture."""
    model = make_captioner(image_size=64).eval()
    small = (torch.arange(48 * 64).reshape(1, 48, 64) % 251).expand(3, -1, -1).to(torch.uint8).contiguous()
    large = small.repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)
    boxes = [torch.tensor([[8.0, 8, 40, 30], [0, 0, 64, 48]]), torch.tensor([[32.0, 32, 160, 120], [0, 0, 256, 192]])]
    first, second = model.caption_boxes([small, large], boxes)
    assert [region.box for region in first] == [(8, 8, 40, 30), (0, 0, 64, 48)]
    assert [region.box for region in second] == [(32, 32, 160, 120), (0, 0, 256, 192)]
    assert len(model.caption_images([small])[0]) > 0 and model.caption_images([]) == []


def test_the_captions_of_survivors_do_not_depend_on_the_others(make_captioner, batch):
    """Suppressing before decoding gives what decoding all proposals and suppressing afterwards gives."""
    model = make_captioner().eval()
    image = batch.images[0, :, :48, :]
    every = model.caption_images([image], DetectionSettings(final_nms_iou=1.0))[0]
    kept = model.caption_images([image], DetectionSettings(final_nms_iou=0.3))[0]
    by_box = {tuple(round(v, 3) for v in region.box): region.caption for region in every}
    assert 0 < len(kept) < len(every)
    assert all(by_box[tuple(round(v, 3) for v in region.box)] == region.caption for region in kept)


def test_beam_search_is_never_less_likely_than_greedy(make_captioner, batch):
    model = make_captioner().eval()
    images, boxes = [batch.images[1]], [torch.tensor([[0.0, 0, 30, 30], [10, 10, 50, 60]])]
    greedy = model.caption_boxes(images, boxes, GenerationSettings(beam_size=1, max_length=4))[0]
    beam = model.caption_boxes(images, boxes, GenerationSettings(beam_size=31, max_length=4))[0]
    assert all(b.log_prob >= g.log_prob - 1e-5 for b, g in zip(beam, greedy))


def test_compat_brings_the_accidents_back(make_captioner, batch):
    faithful, plain = make_captioner("densecap2016").eval(), make_captioner().eval()
    assert faithful.backbone.reverse_channels and not plain.backbone.reverse_channels
    # Clipping to inclusive pixels 1..W and back leaves half a pixel free on every side, and captions no more exact box.
    boxes, original = (model.detect(batch.images, batch.image_sizes)[0].boxes for model in (faithful, plain))
    assert boxes.min() == 0.5 and boxes[:, 2].max() == 63.5 and boxes[:, 3].max() == 47.5
    assert original.min() == 0 and original[:, 2].max() == 64 and original[:, 3].max() == 48
    losses = faithful(batch, torch.Generator().manual_seed(0))
    assert all(torch.isfinite(value) for value in losses.values())
    with pytest.raises(UserError, match="compat"):
        make_captioner("densecap2017")


def test_the_final_box_loss_moves_the_proposals(make_captioner, batch):
    """The gradient of the final box loss reaches the proposal network through the box it starts from."""
    model = make_captioner()
    model(batch, torch.Generator().manual_seed(0))["box"].backward()
    assert model.localization.network.box_branch.weight.grad.abs().sum() > 0
