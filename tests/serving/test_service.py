"""What connections share: copies of the model, the room, and the settings that the server itself bounds."""

import asyncio

import pytest
import torch

from densecap.data.images import read_image
from densecap.errors import UserError
from densecap.models.generation import GenerationSettings
from densecap.models.settings import DetectionSettings
from densecap.serving.admission import Room
from densecap.serving.devices import copies
from densecap.serving.options import Options
from densecap.serving.refusals import Refused
from densecap.serving.service import Service


def test_workers_of_one_device_share_a_copy(make_captioner) -> None:
    model = make_captioner()
    on_cpu = copies(model, [torch.device("cpu")] * 2)
    assert on_cpu[0] is on_cpu[1] is model
    moved = copies(model, [torch.device("cpu"), torch.device("meta"), torch.device("cpu")])
    assert [next(one.parameters()).device.type for one in moved] == ["cpu", "meta", "cpu"]
    assert moved[0] is moved[2] is model and len(moved[1].vocabulary) == len(model.vocabulary)


def test_two_workers_say_what_the_model_says(make_captioner, encode) -> None:
    model, detection = make_captioner(), DetectionSettings(max_detections=3)
    generation = GenerationSettings(max_length=4)
    service = Service([model, model], {}, detection, generation, batch_size=2)
    service.warm_up()
    service.start()
    contents = [encode(60 + 7 * seed, 50, seed=seed) for seed in range(12)]

    async def one(content: bytes) -> list[str]:
        picture = await service.decode(lambda: content, "it", Options())
        return [region.caption for region in (await service.describe(picture, Options(), "me")).described.regions]

    async def everything() -> list[list[str]]:
        return await asyncio.gather(*map(one, contents))

    said = asyncio.run(everything())
    service.stop()
    alone = [model.caption_images([read_image(content)], detection, generation)[0] for content in contents]
    assert said == [[region.caption for region in regions] for regions in alone]
    assert service.described == 12


def test_a_model_without_a_bound_on_regions_gets_the_servers(make_service) -> None:
    assert make_service(DetectionSettings(), max_detections=7).detection.max_detections == 7
    assert make_service(DetectionSettings(max_detections=3)).detection.max_detections == 3


def test_a_model_that_gives_no_numbers_is_said_at_the_start(make_service, make_captioner) -> None:
    model = make_captioner()
    torch.nn.init.constant_(model.recognition.objectness.weight, float("nan"))
    with pytest.raises(UserError, match="not finite"):
        make_service(model=model).warm_up()


def test_room_is_given_back_whatever_happens() -> None:
    room = Room(3)
    with room.place() as first:
        first.more(1)
        with room.place():
            for count in (1, 2):
                with pytest.raises(Refused) as refused:
                    first.more(count)
                assert refused.value.status == 503
        assert room.taken == 2
        with pytest.raises(Refused), room.place() as second:
            second.more(1)
        assert room.taken == 2
    assert room.taken == 0
    room.answered(1, 10_000.0)
    assert 1 <= room.retry_after <= 60
