"""TF-mRNN's model from a checkpoint of TensorFlow's, against the formulas of its code in NumPy."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from densecap import checkpoint
from densecap.builder import build
from densecap.cli.entry import run
from densecap.conversion import model_config, mrnn_tf
from densecap.conversion.beside import Beside
from densecap.conversion.table import convert, recognised
from densecap.conversion.tensorflow.checkpoint import read
from densecap.conversion.writing import save
from densecap.errors import UserError
from densecap.models.backbones.conv_small import ConvSmall
from densecap.models.backbones.inception_v3 import InceptionV3
from tests.fakes.mrnn_tf import WORDS, logits, random_variables, save_words
from tests.fakes.tensorflow import save_v1, save_v2

#: Vectors that a small network gives.
FEATURES = 16


@pytest.fixture
def small_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sees images in place of Inception-v3, whose weights are published elsewhere."""

    def backbone(feature_dim: int, weights: str | None, path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        node = model_config.backbone(ConvSmall, widths=[6, 6, 6, 8], num_blocks=1)
        assert (feature_dim, build(node).feature_dim) == (FEATURES, FEATURES)
        return node, {f"backbone.{name}": value.numpy() for name, value in build(node).state_dict().items()}

    monkeypatch.setattr(mrnn_tf, "_backbone", backbone)


@pytest.mark.parametrize("modern", [False, True], ids=["names of 0.8", "names of 1.2"])
@pytest.mark.parametrize(
    ("form", "cell", "layers"),
    [("mrnn", "gru", 1), ("mrnn", "lstm", 2), ("init", "gru", 2), ("init", "lstm", 1), ("init", "lstm", 2)],
)
def test_scores_are_those_of_the_formulas(
    tmp_path: Path, small_backbone: None, form: str, cell: str, layers: int, modern: bool
) -> None:
    variables = random_variables(form, cell, layers, modern, FEATURES)
    path = save_v1(tmp_path / "model.ckpt", variables)
    found = recognised(path)
    assert found is not None and found.name == "mrnn_tf"
    foreign = mrnn_tf.read(read(path), Beside(vocabulary=save_words(tmp_path / "words")))
    assert list(foreign.words) == ["<UNK>", "a", "dog", "on", "grass", "runs"]
    decoder = build(foreign.config["decoder"])(feature_dim=FEATURES, vocabulary_size=len(foreign.words)).eval()
    own = {name: torch.from_numpy(value.copy()) for name, value in foreign.weights.items() if "decoder" in name}
    decoder.load_state_dict({name.removeprefix("decoder."): value for name, value in own.items()})
    features = np.random.default_rng(1).standard_normal((3, FEATURES)).astype(np.float32) * 3
    said = ["a", "dog", "runs", "on"]
    ours = decoder(torch.from_numpy(features), torch.tensor([[foreign.words.index(word) + 1 for word in said]] * 3))
    end = WORDS.index("<bos>")
    order = [end, *(WORDS.index({"<UNK>": "<unk>"}.get(word, word)) for word in foreign.words)]
    for count in range(len(said) + 1):
        tokens = [end, *map(WORDS.index, said[:count])]
        theirs = logits(variables, features, tokens, form, cell, layers, modern)[:, order]
        np.testing.assert_allclose(ours[:, count].detach(), theirs, atol=1e-4, rtol=1e-4)


def test_a_checkpoint_comes_of_it_that_describes_photos(tmp_path: Path, small_backbone: None) -> None:
    path = save_v1(tmp_path / "model.ckpt", random_variables(features=FEATURES))
    made = convert(path, beside=Beside(vocabulary=save_words(tmp_path / "words")))
    save(made.content, tmp_path / "ours.ckpt")
    loaded = checkpoint.load(tmp_path / "ours.ckpt")
    assert made.content["densecap"]["source"]["words"] == "words" and loaded.data_name == "coco"
    assert (loaded.model.generation.max_length, loaded.model.crop) == (30, "squash")
    (region,) = loaded.model.caption_images([torch.zeros(3, 40, 60, dtype=torch.uint8)])[0]
    assert region.box == (0, 0, 60, 40)


def test_both_versions_packed_and_in_pieces_give_the_same(tmp_path: Path) -> None:
    variables = random_variables(features=40) | {"zeros": np.zeros((30, 50), np.float32), "steps": np.full((2,), 7)}
    paths = [save_v1(tmp_path / "a.ckpt", variables), save_v1(tmp_path / "b.ckpt", variables, packed=True)]
    paths += [save_v1(tmp_path / "c.ckpt", variables, pieces=3)]
    paths += [save_v2(tmp_path / "d.ckpt", variables).with_name("d.ckpt.index")]
    assert paths[1].stat().st_size < paths[0].stat().st_size  # runs of zeros
    for path, version in zip(paths, (1, 1, 1, 2)):
        file = read(path)
        assert file.version == version and file.variables.keys() == variables.keys()
        assert file.variables["steps"].type_name == "int64"
        for name, array in variables.items():
            if name != "steps":
                assert np.array_equal(file.variables[name].array(), array)


def test_the_name_of_a_checkpoint_of_version_2_is_that_of_no_file(tmp_path: Path, small_backbone: None) -> None:
    prefix = save_v2(tmp_path / "model.ckpt", random_variables(features=FEATURES))
    beside = Beside(vocabulary=save_words(tmp_path / "words"))
    assert convert(prefix, beside=beside).content["densecap"]["source"]["TensorFlow's format"] == "version 2"
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    content = data.read_bytes()
    data.write_bytes(content[:-40] + bytes(40))
    with pytest.raises(UserError, match="the checksum of its numbers in .*data-00000-of-00001 is wrong"):
        convert(prefix, beside=beside)
    data.write_bytes(content[:-40])
    with pytest.raises(UserError, match="its numbers would take"):
        convert(prefix, beside=beside)
    data.unlink()
    with pytest.raises(UserError, match="there is no file .*data-00000-of-00001"):
        convert(prefix, beside=beside)


def test_mistakes_say_what_is_missing(tmp_path: Path, small_backbone: None) -> None:
    variables, words = random_variables(features=FEATURES), save_words(tmp_path / "words")
    path = save_v1(tmp_path / "model.ckpt", variables)
    with pytest.raises(UserError, match=r"holds no words: give the file .* vocabulary=PATH \(mscoco_mc3_vocab\)"):
        convert(path)
    (tmp_path / "few").write_text("<pad>\n<unk>\n<bos>\na\n")
    with pytest.raises(UserError, match="holds 4 words, but .* was trained on 8"):
        convert(path, beside=Beside(vocabulary=tmp_path / "few"))
    without = {name: array for name, array in variables.items() if not name.endswith("b_r2m")}
    with pytest.raises(UserError, match="there should be one variable b_r2m, but there are 0; its variables are mRNN"):
        convert(save_v1(path, without), beside=Beside(vocabulary=words))
    with pytest.raises(UserError, match="mRNNmodel/b_r2m should be 7, but it is 3"):
        convert(save_v1(path, variables | {"mRNNmodel/b_r2m": np.zeros(3, np.float32)}), beside=Beside(words))
    with pytest.raises(UserError, match=r"mRNNmodel/b_r2m is \(7,\): it should be float32, but it is int64"):
        convert(save_v1(path, variables | {"mRNNmodel/b_r2m": np.zeros(7, np.int64)}), beside=Beside(words))
    with pytest.raises(UserError, match="is in no format that is known here"):
        convert(save_v1(path, {"a/kernel": np.zeros(3, np.float32)}))


def test_vectors_of_no_known_network_are_refused(tmp_path: Path) -> None:
    path = save_v1(tmp_path / "model.ckpt", random_variables(features=FEATURES))
    with pytest.raises(UserError, match="vectors of 16 numbers of an image, which no backbone of the release gives"):
        convert(path, beside=Beside(vocabulary=save_words(tmp_path / "words")))


#: Writes what numpy.savez gave it with TensorFlow itself, as a checkpoint of either version.
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saver_pb2 import SaverDef
tf = tf.compat.v1
tf.disable_eager_execution()
for name, array in np.load("variables.npz").items():
    tf.get_variable(name, initializer=array)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for form in (SaverDef.V1, SaverDef.V2):
        tf.train.Saver(write_version=form).save(session, f"./theirs{form}.ckpt", write_meta_graph=False)
"""


@pytest.mark.long
def test_a_file_that_tensorflow_wrote(tmp_path: Path) -> None:
    """In an environment of its own, outside the project: nobody needs TensorFlow to use what is tested."""
    variables = random_variables(features=2048) | {"large": np.random.default_rng(0).random((700, 900), np.float32)}
    np.savez(tmp_path / "variables.npz", **variables)  # type: ignore[arg-type]  # its stubs take them for its own option
    write_with_tensorflow(tmp_path)
    for name, version in (("theirs1.ckpt", 1), ("theirs2.ckpt.index", 2)):
        file = read(tmp_path / name)
        assert file.version == version and file.variables.keys() == variables.keys()
        for key, array in variables.items():
            assert np.array_equal(file.variables[key].array(), array)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in InceptionV3(None, classifier=True).state_dict().items()}
    torch.save({published_name(name): torch.zeros(shape) for name, shape in shapes.items()}, tmp_path / "inception.pth")
    save_words(tmp_path / "words")
    own = [f"vocabulary={tmp_path / 'words'}", f"weights={tmp_path / 'inception.pth'}", f"output={tmp_path / 'm.ckpt'}"]
    assert run(["convert", "from=mrnn_tf", f"path={tmp_path / 'theirs1.ckpt'}", *own]) == 0
    model = checkpoint.load(tmp_path / "m.ckpt").model
    assert isinstance(model.backbone, InceptionV3) and model.input_size == 299
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "photo.png")
    options = [f"ckpt={tmp_path / 'm.ckpt'}", "device=cpu", f"output.dir={tmp_path / 'out'}", "output.formats=[json]"]
    assert run(["predict", f"source={tmp_path / 'photo.png'}", *options]) == 0


def write_with_tensorflow(folder: Path) -> None:
    """Skips where uv or the registry is out of reach; in CI that is a failure."""
    uv = shutil.which("uv")
    missing = "there is no uv" if uv is None else ""
    if uv is not None:
        words = [uv, "run", "--no-project", "--isolated", "--no-config", "--python", "3.11"]
        words += ["--with", "tensorflow-cpu==2.21.0", "python", "-c", SCRIPT]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("VIRTUAL_ENV", None)
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
        missing = done.stderr if done.returncode else ""
    if missing and os.environ.get("CI_RUN"):
        pytest.fail(f"TensorFlow cannot be asked: {missing[-2000:]}")
    if missing:
        pytest.skip(f"TensorFlow cannot be asked: {missing.strip().splitlines()[-1]}")


def published_name(name: str) -> str:
    """A tensor as torchvision names it, before convolutions and their normalisation were folded."""
    return name.removeprefix("layers.").replace(".conv.conv.", ".conv.").replace(".conv.norm.", ".bn.")
