"""Statistics gathered batch by batch are those of everything at once."""

import torch

from densecap.models.feature_scaling import Standard, scaling_of


def vectors():
    torch.manual_seed(0)
    return torch.randn(70, 5) * torch.tensor([1.0, 3, 0.5, 10, 2]) + torch.tensor([0.0, 5, -2, 100, 1])


def test_batches_add_up():
    scaling, features = Standard(5).train(), vectors()
    for part in features.split([1, 20, 9, 40]):
        scaling(part)
    torch.testing.assert_close(scaling.mean, features.mean(dim=0))
    torch.testing.assert_close(scaling.variance, features.var(dim=0, unbiased=False), rtol=1e-4, atol=1e-4)
    assert scaling.count == 70
    before = scaling.mean.clone()
    scaled = scaling.eval()(features)
    assert torch.equal(scaling.mean, before), "nothing is gathered outside training"
    torch.testing.assert_close(scaled.mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0)
    floor = features.var(dim=0, unbiased=False).mean() * 0.01
    expected = (features - features.mean(dim=0)) / (features.var(dim=0, unbiased=False) + floor).sqrt()
    torch.testing.assert_close(scaled, expected, rtol=1e-3, atol=1e-3)


def test_training_and_use_scale_alike():
    scaling, features = Standard(5).train(), vectors()
    during = scaling(features)
    torch.testing.assert_close(scaling.eval()(features), during)
    restored = Standard(5)
    restored.load_state_dict(scaling.state_dict())
    torch.testing.assert_close(restored.eval()(features), during)


def test_what_was_never_seen_stays_as_it_is_and_what_never_varies_does_not_explode():
    features = vectors()
    assert torch.equal(Standard(5).eval()(features), features)
    assert Standard(5)(features[:0]).shape == (0, 5)
    constant = features.clone()
    constant[:, 2] = 0
    scaling = Standard(5).train()
    scaling(constant)
    new = torch.ones(1, 5)
    assert scaling.eval()(new).abs().max() < 30 and scaling(new).isfinite().all()


def test_one_image_that_is_all_that_was_seen_stays_as_it_is():
    """Several captions of it, in the first batch of one image: its numbers have no deviation to divide by."""
    scaling, features = Standard(5).train(), vectors()[:1].expand(3, 5).clone().requires_grad_()
    scaled = scaling(features)
    scaled.square().sum().backward()
    assert torch.equal(scaled, features) and features.grad.isfinite().all() and features.grad.abs().max() < 1e3
    scaling(vectors())
    assert scaling.eval()(vectors()).abs().mean() < 2


def test_gradients_reach_the_backbone_and_nothing_else():
    scaling, features = Standard(5).train(), vectors().requires_grad_()
    scaling(features).square().sum().backward()
    assert features.grad.abs().sum() > 0 and list(scaling.parameters()) == []
    unit = scaling_of("unit", 5)(features)
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(70))
    assert scaling_of("none", 5)(features) is features
