"""Published networks are the published ones; weights load, or fail in one clear sentence."""

import copy
import urllib.error
from pathlib import Path

import pytest
import torch
import torchvision
import torchvision.transforms.v2
from torch import nn
from torchvision.models import (
    AlexNet_Weights,
    Inception_V3_Weights,
    MobileNet_V2_Weights,
    ResNet50_Weights,
    SqueezeNet1_1_Weights,
    VGG16_Weights,
)

from densecap.errors import UserError
from densecap.models.backbones.alexnet import AlexNet
from densecap.models.backbones.conv_small import ConvSmall
from densecap.models.backbones.inception_v3 import InceptionV3
from densecap.models.backbones.initialization import initialize_from_scratch
from densecap.models.backbones.mobilenet_v2 import MobileNetV2
from densecap.models.backbones.resnet50 import ResNet50, ResNet50FPN
from densecap.models.backbones.squeezenet1_1 import SqueezeNet1_1
from densecap.models.backbones.vgg16 import VGG16
from densecap.ops.anchors import Level
from tests.fakes.backbones import photo

SHARED = Path(__file__).parents[3] / "shared" / "data"
MOBILENET = SHARED / "weights" / "mobilenet_v2-tf1quant-tv.pth"
SQUEEZENET = SHARED / "weights" / "squeezenet1_1-features-tv.pth"


def test_vgg16_is_the_published_trunk(backbone_of):
    backbone = backbone_of("vgg16")
    stem = sum(p.numel() for part in backbone.stem for p in part.parameters())
    assert (stem, sum(p.numel() for p in backbone.parameters())) == (260_160, 260_160 + 14_454_528)
    assert backbone.geometry == (Level(16, 8.0),)
    assert backbone.recognition_weights() is None
    assert backbone.feature_dim == 512
    shapes_only = copy.deepcopy(backbone).to("meta")
    assert shapes_only(torch.zeros(1, 3, 540, 720, device="meta"))[0].shape == (1, 512, 34, 45)


def save_vgg16(path, features_only=False, classifier=True):
    """A weights file as torchvision's, its 4096-wide layers filled with little to write quickly."""
    torch.manual_seed(4)
    with torch.device("meta"):
        shapes = torchvision.models.vgg16().state_dict()
    state = {
        key: torch.full((1,), 0.001 * len(key)).expand(value.shape)
        if key.startswith("classifier.")
        else torch.randn(value.shape) * 0.02
        for key, value in shapes.items()
        if classifier or not key.startswith("classifier.")
    }
    if features_only:
        state = {key.removeprefix("features."): value for key, value in state.items()}
    torch.save(state, path)
    return state


@torch.no_grad()
def test_vgg16_weights_from_a_file(tmp_path):
    path = tmp_path / "vgg16.pth"
    state = save_vgg16(path)
    backbone = VGG16(str(path)).eval()
    assert backbone.pretrained and not any(p.requires_grad for p in backbone.parameters())
    reference = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    reference.load_state_dict({key[9:]: value for key, value in state.items() if key.startswith("features.")})
    images = photo(64, 96)  # multiples of 16, where rounding up and down agree
    torch.testing.assert_close(backbone(images)[0], reference[:30](backbone.normalize(images)), atol=1e-3, rtol=1e-3)
    weights = backbone.recognition_weights()
    assert {key: tuple(value.shape) for key, value in weights.items()} == {
        "fc6.weight": (4096, 512 * 7 * 7),
        "fc6.bias": (4096,),
        "fc7.weight": (4096, 4096),
        "fc7.bias": (4096,),
    }
    assert weights["fc6.bias"][0] == state["classifier.0.bias"][0]
    assert weights["fc7.weight"][0, 0] == state["classifier.3.weight"][0, 0]
    backbone.set_trainable(True)
    assert [backbone.features[layer].weight.requires_grad for layer in (7, 10)] == [False, True]


@torch.no_grad()
def test_vgg16_features_are_fc7_when_asked(tmp_path):
    path = tmp_path / "vgg16.pth"
    state = save_vgg16(path)
    backbone = VGG16(str(path), classifier=True).eval()
    assert backbone.feature_dim == 4096
    images = photo(224, 224)
    features = torch.nn.functional.max_pool2d(backbone(images)[0], 2).flatten(1)
    for layer in (0, 3):
        weight, bias = state[f"classifier.{layer}.weight"], state[f"classifier.{layer}.bias"]
        features = torch.relu(features @ weight.T + bias)
    torch.testing.assert_close(backbone.image_features(images), features, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_alexnet_is_torchvisions(tmp_path):
    torch.manual_seed(4)
    with torch.device("meta"):
        shapes = torchvision.models.alexnet().state_dict()
    state = {
        key: torch.full((1,), 0.001 * len(key)).expand(value.shape)
        if key.startswith("classifier.")  # little to write
        else torch.randn(value.shape) * 0.05
        for key, value in shapes.items()
    }
    path = tmp_path / "alexnet.pth"
    torch.save(state, path)
    backbone = AlexNet(str(path), classifier=True).eval()
    reference = torchvision.models.alexnet(weights=None).features
    reference.load_state_dict({key[9:]: value for key, value in state.items() if key.startswith("features.")})
    images = photo(224, 224)
    x = reference(backbone.normalize(images))
    torch.testing.assert_close(torch.nn.functional.max_pool2d(backbone(images)[0], 3, 2), x, atol=1e-3, rtol=1e-3)
    x = x.flatten(1)
    for layer in (1, 4):
        x = torch.relu(x @ state[f"classifier.{layer}.weight"].T + state[f"classifier.{layer}.bias"])
    torch.testing.assert_close(backbone.image_features(images), x, rtol=1e-3, atol=1e-3)
    assert backbone.feature_dim == 4096 and AlexNet(str(path)).feature_dim == 256
    assert AlexNet(str(path), trainable=True).features[3].weight.requires_grad


@torch.no_grad()
def test_inception_is_torchvisions_and_is_given_the_same_pixels(tmp_path):
    """torchvision takes ImageNet's normalisation and turns it into TensorFlow's, -1 to 1; ours gives that at once."""
    torch.manual_seed(0)
    network = torchvision.models.Inception3(aux_logits=False, transform_input=True, init_weights=False)
    initialize_from_scratch(network)
    path = tmp_path / "inception.pth"
    torch.save(network.state_dict(), path)
    network.fc = nn.Identity()
    backbone = InceptionV3(str(path), classifier=True).eval()
    images, transforms = photo(299, 299), Inception_V3_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    expected = network.eval()((images / 255 - mean) / std)
    torch.testing.assert_close(backbone.image_features(images), expected, atol=1e-3, rtol=1e-3)
    assert transforms.crop_size == [backbone.input_size] == [299]
    assert (backbone.feature_dim, InceptionV3(str(path)).feature_dim) == (2048, 768)
    assert backbone(images)[0].shape == (1, 768, 17, 17)


@torch.no_grad()
def test_the_maximum_joins_the_mean_where_asked():
    options = {"widths": [8, 8, 8, 12], "num_blocks": 1}
    torch.manual_seed(0)
    plain = ConvSmall(**options, image_pool="mean").eval()
    both = ConvSmall(**options, image_pool="mean_max").eval()
    for backbone in (plain, both):
        del backbone.features[-1]  # the normalisation that leaves every channel a mean of 0
    both.load_state_dict(plain.state_dict())
    images = photo(64, 96, count=2)
    features = both.image_features(images)
    assert features.shape == (2, both.feature_dim) == (2, 24)
    torch.testing.assert_close(features[:, :12], plain.image_features(images))
    torch.testing.assert_close(features[:, 12:], plain(images)[0].flatten(2).max(dim=2).values)
    assert MobileNetV2(None, classifier=True, image_pool="mean_max").feature_dim == 2560
    with pytest.raises(UserError, match="image_pool=max is not known: it must be mean or mean_max"):
        ConvSmall(image_pool="max")


def test_vgg16_from_its_features_alone(tmp_path):
    path = tmp_path / "features.pth"
    state = save_vgg16(path, features_only=True, classifier=False)
    backbone = VGG16(str(path))
    assert torch.equal(backbone.features[0].weight, state["0.weight"])
    assert backbone.recognition_weights() is None
    with pytest.raises(UserError, match=r"does not fit vgg16: it lacks classifier\.0\.bias"):
        VGG16(str(path), classifier=True)


@torch.no_grad()
def test_resnets_are_torchvisions(tmp_path):
    torch.manual_seed(0)
    network = torchvision.models.resnet50().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
    path = tmp_path / "resnet50.pth"
    torch.save(network.state_dict(), path)
    images = photo(65, 97)
    backbone = ResNet50(str(path), classifier=True).eval()
    x = network.maxpool(network.relu(network.bn1(network.conv1(backbone.normalize(images)))))
    maps = [x := layer(x) for layer in (network.layer1, network.layer2, network.layer3, network.layer4)]
    torch.testing.assert_close(backbone(images)[0], maps[2], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(backbone.image_features(images), maps[3].mean(dim=(2, 3)), atol=1e-3, rtol=1e-3)
    assert backbone.feature_dim == 2048 and ResNet50(str(path)).feature_dim == 1024
    pyramid = ResNet50FPN(str(path), channels=16).eval()
    expected = pyramid.pyramid({str(index): features for index, features in enumerate(maps)})
    for ours, theirs in zip(pyramid(images), expected.values()):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    assert [level.stride for level in pyramid.geometry] == [4, 8, 16, 32]
    frozen = [key for key, p in backbone.named_parameters() if not p.requires_grad]
    assert frozen and all(key.startswith(("stages.0.", "stages.1.")) for key in frozen)


def test_mobilenet_choices():
    images = photo(96, 128)
    for last_block, stride, channels, size in ((13, 16, 96, (6, 8)), (18, 16, 1280, (6, 8)), (17, 32, 320, (3, 4))):
        backbone = MobileNetV2(None, last_block=last_block, stride=stride).eval()
        assert backbone.geometry == (Level(stride, 0.5),)
        assert backbone(images)[0].shape == (1, channels, *size)
    with pytest.raises(UserError, match="stride=8 must be 16 or 32"):
        MobileNetV2(None, stride=8)
    with pytest.raises(UserError, match="last_block=13 must be 14 to 18"):
        MobileNetV2(None, last_block=13, stride=32)


@torch.no_grad()
def test_dilation_sees_what_the_stride_saw():
    # With stride 32 the map is every other cell of the dilated one, because each kernel samples the same places.
    torch.manual_seed(0)
    fine = MobileNetV2(None, last_block=17, stride=16).eval()
    coarse = MobileNetV2(None, last_block=17, stride=32).eval()
    coarse.load_state_dict(fine.state_dict())
    images = photo(128, 192)
    torch.testing.assert_close(fine(images)[0][:, :, ::2, ::2], coarse(images)[0], atol=1e-3, rtol=1e-3)


@pytest.mark.skipif(not MOBILENET.is_file(), reason="needs the shared weights")
@torch.no_grad()
def test_mobilenet_names_the_elephant():
    backbone = MobileNetV2(str(MOBILENET), classifier=True).eval()
    assert backbone.feature_dim == 1280
    image = torchvision.io.read_image(str(SHARED / "photos" / "densecap_elephant.jpg"))
    image = torchvision.transforms.v2.functional.resize(image, [224, 224], antialias=True)[None]
    features = backbone.image_features(image)
    state = torch.load(MOBILENET, weights_only=True)
    reference = torchvision.models.mobilenet_v2().eval()
    reference.load_state_dict(state)
    expected = reference.features(backbone.normalize(image)).mean(dim=(2, 3))
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=1e-3)
    names = (SHARED / "weights" / "synset_words.txt").read_text().splitlines()
    assert "elephant" in names[int(reference.classifier(features).argmax())]
    (features,) = backbone(image)
    assert features.shape == (1, 320, 14, 14), "the dilated map is back after image_features"
    frozen = {key.split(".")[1] for key, p in backbone.named_parameters() if not p.requires_grad}
    assert frozen == {"0", "1", "2", "3"}


@pytest.mark.skipif(not SQUEEZENET.is_file(), reason="needs the shared weights")
@torch.no_grad()
def test_squeezenet_from_its_features_alone():
    backbone = SqueezeNet1_1(str(SQUEEZENET)).eval()
    reference = torchvision.models.squeezenet1_1().features.eval()
    reference.load_state_dict(torch.load(SQUEEZENET, weights_only=True))
    images = photo(97, 131)
    torch.testing.assert_close(backbone(images)[0], reference(backbone.normalize(images)), atol=1e-3, rtol=1e-3)


@pytest.mark.skipif(not MOBILENET.is_file(), reason="needs the shared weights")
def test_weights_of_another_network_are_refused():
    with pytest.raises(
        UserError, match=r"does not fit resnet50: it lacks bn1\.bias.* and \d+ more; it has the unknown"
    ):
        ResNet50(str(MOBILENET))


def test_weights_files_that_do_not_fit(tmp_path):
    path = tmp_path / "net.pth"
    state = torchvision.models.squeezenet1_1().state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    SqueezeNet1_1(str(path))  # wrapped and saved in parallel, but the same network
    broken = {**state, "features.3.squeeze.weight": torch.zeros(2, 64, 1, 1)}
    del broken["features.0.bias"]
    torch.save(broken, path)
    with pytest.raises(UserError) as raised:
        SqueezeNet1_1(str(path))
    assert "it lacks features.0.bias" in str(raised.value)
    assert "features.3.squeeze.weight of shape (2, 64, 1, 1) instead of (16, 64, 1, 1)" in str(raised.value)
    state["features.0.bias"][3] = float("nan")
    torch.save(state, path)
    with pytest.raises(UserError, match="not numbers in features.0.bias"):
        SqueezeNet1_1(str(path))


@pytest.mark.parametrize(
    "backbone", [VGG16, ResNet50, ResNet50FPN, MobileNetV2, SqueezeNet1_1, ConvSmall, AlexNet, InceptionV3]
)
def test_weights_files_that_are_none(backbone, tmp_path):
    with pytest.raises(UserError, match="there is no such file"):
        backbone(str(tmp_path / "missing.pth"))
    text = tmp_path / "notes.pth"
    text.write_text("not weights")
    with pytest.raises(UserError, match="is not a file of PyTorch weights"):
        backbone(str(text))
    torch.save([1, 2], text)
    with pytest.raises(UserError, match="holds no state dict"):
        backbone(str(text))


def test_conv_small_from_a_file(tmp_path):
    path = tmp_path / "small.pth"
    original = ConvSmall(widths=[8, 8, 8, 12], num_blocks=1)
    torch.save(original.state_dict(), path)
    again = ConvSmall(str(path), widths=[8, 8, 8, 12], num_blocks=1)
    assert torch.equal(again.features[0].weight, original.features[0].weight)
    with pytest.raises(UserError, match="does not fit conv_small"):
        ConvSmall(str(path))


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    def refuse(*arguments, **options):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize(
    ("backbone", "published"),
    [
        (VGG16, VGG16_Weights.IMAGENET1K_V1),
        (ResNet50FPN, ResNet50_Weights.IMAGENET1K_V1),
        (MobileNetV2, MobileNet_V2_Weights.IMAGENET1K_V1),
        (SqueezeNet1_1, SqueezeNet1_1_Weights.IMAGENET1K_V1),
        (AlexNet, AlexNet_Weights.IMAGENET1K_V1),
        (InceptionV3, Inception_V3_Weights.IMAGENET1K_V1),
    ],
)
def test_a_download_that_cannot_be_made_says_what_to_do(backbone, published, no_network):
    with pytest.raises(UserError) as raised:
        backbone("imagenet")
    message = str(raised.value)
    assert published.url in message and "model.backbone.weights=PATH" in message and "no route to host" in message
    assert str(no_network / "checkpoints" / published.url.rsplit("/", 1)[1]) in message
    assert "\n" not in message


def test_weights_in_the_cache_are_used(no_network):
    url = SqueezeNet1_1_Weights.IMAGENET1K_V1.url
    cached = no_network / "checkpoints" / url.rsplit("/", 1)[1]
    cached.parent.mkdir(parents=True)
    state = torchvision.models.squeezenet1_1().state_dict()
    torch.save(state, cached)
    assert torch.equal(SqueezeNet1_1("imagenet").features[0].weight, state["features.0.weight"])
    cached.write_bytes(cached.read_bytes()[:1000])
    with pytest.raises(UserError, match="delete that file and run again"):
        SqueezeNet1_1("imagenet")
