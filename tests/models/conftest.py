"""What several tests of models use."""

import pytest

from tests.fakes.backbones import build_backbone


@pytest.fixture(scope="module")
def backbone_of():
    """A backbone of each yaml with random weights, built once; tests leave it as they found it."""
    built = {}

    def get(name):
        if name not in built:
            built[name] = build_backbone(name)
        return built[name]

    return get
