"""Region pooling against grid_sample, the original's grid, and numerical gradients."""

import torch
from torch.nn import functional as F

from densecap.ops.anchors import DENSECAP_ANCHORS, Level, anchor_boxes, spread_anchors
from densecap.ops.boxes import cxcywh_from_xyxy, xyxy_from_cxcywh
from densecap.ops.roi_pool import assign_levels, bilinear_sample, pooling_points, pooling_points_2016


def random_boxes(count, generator, dtype=torch.float32):
    corner = torch.rand(count, 2, generator=generator, dtype=dtype) * 60
    return torch.cat((corner, corner + 3 + torch.rand(count, 2, generator=generator, dtype=dtype) * 40), dim=1)


def by_grid_sample(features, rows, columns, padding):
    height, width = features.shape[1:]
    x = columns / (width - 1) * 2 - 1
    y = rows / (height - 1) * 2 - 1
    size = rows.shape[1]
    grid = torch.stack((x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)), dim=-1)
    many = features[None].expand(len(rows), -1, -1, -1)
    return F.grid_sample(many, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def test_sampling_equals_grid_sample():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(5, 8, 11, generator=generator)
    rows = torch.rand(6, 7, generator=generator) * 12 - 2
    columns = torch.rand(6, 7, generator=generator) * 15 - 2
    which = torch.zeros(6, dtype=torch.long)
    for zeros, padding in ((True, "zeros"), (False, "border")):
        ours = bilinear_sample([features[None]], which, rows, columns, zeros)
        assert torch.allclose(ours, by_grid_sample(features, rows, columns, padding), atol=1e-5)


def test_every_region_reads_its_own_map():
    generator = torch.Generator().manual_seed(1)
    maps = [torch.randn(1, 3, 6, 9, generator=generator), torch.randn(1, 3, 4, 5, generator=generator)]
    rows, columns = torch.rand(4, 2, generator=generator) * 3, torch.rand(4, 2, generator=generator) * 4
    which = torch.tensor([1, 0, 1, 0])
    together = bilinear_sample(maps, which, rows, columns, False)
    for index in range(4):
        alone = bilinear_sample(
            [maps[which[index]]], torch.zeros(1, dtype=torch.long), rows[[index]], columns[[index]], False
        )
        assert torch.allclose(together[index], alone[0])


def test_images_of_one_size_share_a_map_and_any_memory_layout_will_do():
    generator = torch.Generator().manual_seed(1)
    pair, single = torch.randn(2, 3, 6, 9, generator=generator), torch.randn(1, 3, 4, 5, generator=generator)
    rows, columns = torch.rand(4, 2, generator=generator) * 3, torch.rand(4, 2, generator=generator) * 4
    which = torch.tensor([2, 0, 1, 1])
    apart = bilinear_sample([pair[:1], pair[1:], single], which, rows, columns, False)
    for layout in (torch.contiguous_format, torch.channels_last):
        together = bilinear_sample([pair.contiguous(memory_format=layout), single], which, rows, columns, False)
        assert torch.equal(together, apart)


def test_anchors_and_pooling_agree_where_a_cell_is():
    level = Level(16, 8.0)
    anchors = anchor_boxes(34, 45, level, [(64, 64)]).reshape(34, 45, 4)
    rows, columns = pooling_points(anchors[3, 5][None], 7, level)
    assert rows[0, 3].item() == 3 and columns[0, 3].item() == 5  # the middle sample is the cell itself
    assert (columns[0, -1] - columns[0, 0]).item() == 4  # edge to edge, 64 pixels


def test_grid_of_2016():
    image, cells = (540, 720), (34, 45)
    box = xyxy_from_cxcywh(torch.tensor([[100.0, 200, 64, 128]], dtype=torch.float64)) - 0.5
    rows, columns = pooling_points_2016(box, 7, image, cells)
    expected_rows = [8.2725624, 9.5762661, 10.8799698, 12.1836735, 13.4873772, 14.7910809, 16.0947846]
    expected_columns = [4.1028589, 4.7547108, 5.4065626, 6.0584145, 6.7102663, 7.3621182, 8.0139700]
    assert torch.allclose(rows[0], torch.tensor(expected_rows, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(columns[0], torch.tensor(expected_columns, dtype=torch.float64), atol=1e-6)
    rows, columns = pooling_points_2016(torch.tensor([[0.0, 0, 720, 540]], dtype=torch.float64), 7, image, cells)
    assert torch.allclose(rows[0], torch.arange(7, dtype=torch.float64) * 5.5)
    assert torch.allclose(columns[0], torch.arange(7, dtype=torch.float64) * 44 / 6)


def test_gradients_reach_features_and_boxes():
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 5, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    boxes = random_boxes(3, generator, torch.float64).requires_grad_()

    def pool(features, boxes):
        rows, columns = pooling_points(boxes, 3, Level(16, 8.0))
        return bilinear_sample([features[None]], torch.zeros(3, dtype=torch.long), rows, columns, False)

    assert torch.autograd.gradcheck(pool, (features, boxes))


def test_no_regions():
    pooled = bilinear_sample(
        [torch.randn(1, 4, 5, 6)], torch.zeros(0, dtype=torch.long), torch.zeros(0, 7), torch.zeros(0, 7), False
    )
    assert pooled.shape == (0, 4, 7, 7)


def test_anchor_order_and_counts():
    """12 x 45 x 34 = 18,360 anchors at 720 x 540, of which 7,804 lie inside the image."""
    boxes = anchor_boxes(34, 45, Level(16, 8.0), DENSECAP_ANCHORS)
    assert len(boxes) == 18360
    row = boxes[2 * 34 * 45 + 7 * 45 + 11]  # third anchor, row 7, column 11
    assert cxcywh_from_xyxy(row).tolist() == [8 + 16 * 11, 8 + 16 * 7, 64, 64]
    # Inside, by the original's rule: x1 >= 1 and x2 <= W on inclusive corners.
    inside = (boxes[:, 0] >= 0) & (boxes[:, 1] >= 0) & (boxes[:, 2] <= 720) & (boxes[:, 3] <= 540)
    assert inside.reshape(12, -1).sum(dim=1).tolist() == [1204, 1209, 1230, 858, 924, 962, 363, 506, 522, 0, 0, 26]


def test_anchors_are_dealt_out_by_area():
    shares = spread_anchors(DENSECAP_ANCHORS, 4)
    assert [len(share) for share in shares] == [3, 3, 3, 3]
    assert set(shares[0]) == {(45, 90), (90, 45), (64, 64)} and (512, 512) in shares[3]
    assert spread_anchors(DENSECAP_ANCHORS, 1)[0] == list(DENSECAP_ANCHORS)


def test_levels_follow_the_size_of_a_box():
    levels = [Level(4, 0.5), Level(8, 0.5), Level(16, 0.5), Level(32, 0.5)]
    boxes = torch.tensor([[0.0, 0, 20, 20], [0, 0, 112, 112], [0, 0, 224, 224], [0, 0, 448, 448], [0, 0, 2000, 2000]])
    assert assign_levels(boxes, levels).tolist() == [0, 1, 2, 3, 3]
