"""A service around a miniature captioner, and clients of it."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.serving.app import create_app
from densecap.serving.limits import Limits
from densecap.serving.service import Service

ADDRESS = "http://127.0.0.1:8000"


def encoded(width: int = 90, height: int = 60, kind: str = "PNG", seed: int = 0, **options) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def encode():
    return encoded


@pytest.fixture
def make_service(make_captioner):
    """Services with some limits; the model is at hand as ``service.describers[0].model``."""

    def make(detection: DetectionSettings | None = None, batch_size: int = 4, model=None, **limits) -> Service:
        detection = detection or DetectionSettings(max_detections=5)
        card = {"checkpoint": "/secret/folder/best.ckpt", "name": "miniature", "vocabulary": ["a", "b"], "config": {}}
        captioner = model or make_captioner()
        return Service([captioner], card, detection, GenerationSettings(max_length=4), Limits(**limits), batch_size)

    return make


@pytest.fixture
def open_client(make_service) -> Iterator:
    """Clients of an application that runs as long as the test."""
    opened: list[TestClient] = []

    def make(service: Service | None = None, token: str | None = None, **access) -> TestClient:
        client = TestClient(create_app(service or make_service(), token, **access), base_url=ADDRESS)
        opened.append(client.__enter__())
        return opened[-1]

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def send(client: TestClient, *contents: bytes, **query):
    """POST pictures called 1.png, 2.png ..."""
    files = [("image", (f"{number}.png", content)) for number, content in enumerate(contents, start=1)]
    return client.post("/v1/predict", files=files, params=query)


@pytest.fixture
def post():
    return send
