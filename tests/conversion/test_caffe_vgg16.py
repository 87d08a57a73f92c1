"""VGG-16 from a file of Caffe's, in the forms its format had over the years, and files that are wrong."""

import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from densecap.conversion import caffe_vgg16, wire
from densecap.conversion.caffe import network
from densecap.conversion.caffe.network import Blob, Layer
from densecap.conversion.table import convert
from densecap.conversion.vgg16_layers import CONVOLUTIONS, FULLY_CONNECTED
from densecap.conversion.writing import save
from densecap.errors import UserError
from densecap.models.backbones.vgg16 import VGG16
from tests.fakes import caffe

Layers = dict[str, list[np.ndarray]]


def few(style_seed: int = 0) -> Layers:
    random = np.random.default_rng(style_seed)
    return {
        "conv1": [random.standard_normal((4, 3, 3, 3), np.float32), random.standard_normal(4, np.float32)],
        "fc6": [random.standard_normal((5, 12), np.float32), random.standard_normal(5, np.float32)],
    }


@pytest.fixture(scope="module")
def vgg16() -> Layers:
    random = np.random.default_rng(1)
    return {
        name: [random.standard_normal((out, channels, 3, 3), np.float32), random.standard_normal(out, np.float32)]
        for name, (_, out, channels) in CONVOLUTIONS.items()
    }


def fully_connected() -> Layers:
    """Zeros with one other number, whose place tells rows from columns."""
    made = {}
    for name, (_, out, width) in FULLY_CONNECTED.items():
        weight = np.zeros((out, width), np.float32)
        weight[7, 11] = 5
        made[name] = [weight, np.arange(out, dtype=np.float32)]
    return made


@pytest.mark.parametrize("style", ["new", "old", "unpacked", "v0"])
def test_layers_in_every_form_of_the_format(tmp_path: Path, style: str) -> None:
    layers = network.read(caffe.save(tmp_path / "a.caffemodel", few(), style))
    assert [layer.name for layer in layers] == ["conv1", "fc6"]
    for layer, arrays in zip(layers, few().values()):
        for blob, array in zip(layer.blobs, arrays):
            assert blob.shape == (array.shape if style == "new" else (1, 1, 1, 1, *array.shape)[-4:])
            assert np.array_equal(blob.array().reshape(array.shape), array)


def test_what_googles_library_writes_is_read(tmp_path: Path) -> None:
    """So that our writer and our reader cannot share a mistake."""
    pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    field = descriptor_pb2.FieldDescriptorProto

    def message(name: str, *fields: tuple[str, int, int, int, str]) -> None:
        made = file.message_type.add(name=name)
        for label, number, kind, repeat, type_name in fields:
            item = made.field.add(name=label, number=number, type=kind, label=repeat)
            if type_name:
                item.type_name = type_name
            elif label in ("data", "dim"):
                item.options.packed = True

    text, message_kind, one, many = field.TYPE_STRING, field.TYPE_MESSAGE, field.LABEL_OPTIONAL, field.LABEL_REPEATED
    message("BlobShape", ("dim", 1, field.TYPE_INT64, many, ""))
    message("BlobProto", ("data", 5, field.TYPE_FLOAT, many, ""), ("shape", 7, message_kind, one, ".caffe.BlobShape"))
    message("LayerParameter", ("name", 1, text, one, ""), ("blobs", 7, message_kind, many, ".caffe.BlobProto"))
    message("NetParameter", ("name", 1, text, one, ""), ("layer", 100, message_kind, many, ".caffe.LayerParameter"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    net = message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))(name="net")
    for name, arrays in few().items():
        layer = net.layer.add(name=name)
        for array in arrays:
            made = layer.blobs.add()
            made.data.extend(array.reshape(-1).tolist())
            made.shape.dim.extend(array.shape)
    path = tmp_path / "a.caffemodel"
    path.write_bytes(net.SerializeToString())
    for layer, arrays in zip(network.read(path), few().values()):
        assert [blob.shape for blob in layer.blobs] == [array.shape for array in arrays]
        assert all(np.array_equal(blob.array(), array.reshape(-1)) for blob, array in zip(layer.blobs, arrays))


def test_the_backbone_takes_the_weights(tmp_path: Path, vgg16: Layers) -> None:
    path = caffe.save(tmp_path / "VGG_ILSVRC_16_layers.caffemodel", vgg16)
    made = convert(path)
    assert made.ending == ".pth" and made.content["source"]["format"] == "caffe_vgg16"
    save(made.content, tmp_path / "vgg16.pth")
    backbone = VGG16(str(tmp_path / "vgg16.pth"), normalization="caffe_bgr")
    state = backbone.state_dict()
    for name, (place, _, _) in CONVOLUTIONS.items():
        assert np.array_equal(state[f"features.{place}.weight"], vgg16[name][0])
        assert np.array_equal(state[f"features.{place}.bias"], vgg16[name][1])
    assert backbone.recognition_weights() is None


def test_fc6_and_fc7_come_along(tmp_path: Path, vgg16: Layers) -> None:
    (tmp_path / "a.caffemodel").write_bytes(b"only its checksum is asked for")
    arrays = vgg16 | fully_connected()
    blobs = {name: [Blob((1,) * (4 - a.ndim) + a.shape, [a.reshape(-1)]) for a in own] for name, own in arrays.items()}
    layers = [Layer(name, own) for name, own in blobs.items()]
    state = caffe_vgg16.convert(layers, tmp_path / "a.caffemodel").content["state_dict"]
    assert state["classifier.0.weight"].shape == (4096, 512 * 49) and state["classifier.0.weight"][7, 11] == 5
    assert state["classifier.6.weight"].shape == (1000, 4096)
    assert torch.equal(state["classifier.3.bias"], torch.arange(4096.0))


@pytest.mark.long
def test_the_recognition_network_takes_fc6_and_fc7(tmp_path: Path, vgg16: Layers) -> None:
    path = caffe.save(tmp_path / "VGG_ILSVRC_16_layers.caffemodel", vgg16 | fully_connected())
    save(convert(path).content, tmp_path / "vgg16.pth")
    fully = VGG16(str(tmp_path / "vgg16.pth")).recognition_weights()
    assert fully is not None and fully["fc6.weight"][7, 11] == 5 and fully["fc6.weight"].sum() == 5
    assert torch.equal(fully["fc7.bias"], torch.arange(4096.0))


def test_the_first_layer_sees_bgr_less_the_mean(tmp_path: Path, vgg16: Layers) -> None:
    save(convert(caffe.save(tmp_path / "a.caffemodel", vgg16)).content, tmp_path / "vgg16.pth")
    backbone = VGG16(str(tmp_path / "vgg16.pth"), normalization="caffe_bgr")
    image = torch.randint(256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    bgr = image.flip(1).double() - torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64).view(1, 3, 1, 1)
    weight, bias = (torch.from_numpy(array).double() for array in vgg16["conv1_1"])
    theirs = torch.nn.functional.conv2d(bgr, weight, bias, padding=1)
    ours = backbone.features[0](backbone.normalize(image))
    torch.testing.assert_close(ours.double(), theirs, atol=1e-2, rtol=1e-4)


def test_another_network_is_named_by_its_layers(tmp_path: Path, vgg16: Layers) -> None:
    path = caffe.save(tmp_path / "a.caffemodel", few())
    with pytest.raises(UserError, match="is in no format that is known here; those are densecap_t7"):
        convert(path)
    with pytest.raises(UserError, match="is not VGG-16: it lacks conv1_1, .*; its layers with weights are conv1, fc6"):
        convert(path, "caffe_vgg16")
    wrong = vgg16 | {"conv3_2": [np.zeros((256, 128, 3, 3), np.float32), np.zeros(256, np.float32)]}
    with pytest.raises(UserError, match=r"conv3_2 of .* should be \(256, 256, 3, 3\), but it is \(256, 128, 3, 3\)"):
        convert(caffe.save(path, wrong))
    with pytest.raises(UserError, match="conv1_1 of .* should have a weight and a bias, but it has 1 array"):
        convert(caffe.save(path, vgg16 | {"conv1_1": vgg16["conv1_1"][:1]}))
    broken = [vgg16["conv1_1"][0] * np.float32("nan"), vgg16["conv1_1"][1]]
    with pytest.raises(UserError, match="values that are not numbers in features.0.weight"):
        convert(caffe.save(path, vgg16 | {"conv1_1": broken}))


def test_every_truncation_inside_a_layer_is_noticed(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.caffemodel", caffe.save(tmp_path / "b.caffemodel", few()).read_bytes()
    ends = {len(whole)}  # a file may end between two layers: nothing says how many there are
    for name in few():
        layers = {key: value for key, value in few().items() if list(few()).index(key) < list(few()).index(name)}
        ends.add(caffe.save(path, layers).stat().st_size)
    start = whole.index(b"conv1") + 5
    for length in set(range(start, len(whole))) - ends:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="is it complete"):
            network.read(path)


def test_changed_bytes_never_do_more_than_fail(tmp_path: Path) -> None:
    chance, path = random.Random(7), tmp_path / "a.caffemodel"
    content = caffe.save(path, few(), "new").read_bytes() + caffe.save(path, few(), "unpacked").read_bytes()
    tracemalloc.start()
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(chance.choice([1, 2, 8])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 127, 255, chance.randrange(256)])
        path.write_bytes(changed)
        try:
            for layer in network.read(path):
                for blob in layer.blobs:
                    blob.array()
        except UserError as error:
            assert str(path) in str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    "content",
    [
        caffe.varint(100 << 3 | 2) + caffe.varint(2**31),
        caffe.varint(100 << 3 | 2) + caffe.varint(2**63),
        b"\xff" * 12,
        caffe.block(2, caffe.block(6, caffe.varint(5 << 3 | 2) + caffe.varint(2**40))),
        caffe.number(2, 5),
        caffe.varint(3 << 3 | 3),
        caffe.number(0, 1),
    ],
)
def test_hostile_lengths_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.caffemodel"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be read as Caffe's weights: .* \(at byte"):
        network.read(path)


def test_fields_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FIELDS", 100)
    path = tmp_path / "a.caffemodel"
    path.write_bytes(caffe.number(9, 1) * 200)
    with pytest.raises(UserError, match="more than 100 fields"):
        network.read(path)
