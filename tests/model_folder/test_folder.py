"""A model's folder: what was saved comes back, and nothing in it can run code, fill the memory or take long."""

import hashlib
import json
import os
import pickle
import random
import time

import pytest
import torch

import densecap
from densecap import checkpoint
from densecap.errors import UserError
from densecap.model_folder.folder import read_description
from tests.fakes.small_model import WHOLE, save_small_model
from tests.fakes.whole_images import noise, small_image_captioner


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return checkpoint.load(save_small_model(tmp_path_factory.mktemp("small") / "m.ckpt"))


@pytest.fixture
def folder(loaded, tmp_path):
    loaded.model.save_pretrained(tmp_path / "folder", licence="mit")
    return tmp_path / "folder"


def change(folder, name="config.json", **values):
    """Values of a JSON file set, by keys such as config__model__image_size."""
    path = folder / name
    whole = json.loads(path.read_text())
    for key, value in values.items():
        *way, last = key.split("__")
        node = whole
        for part in way:
            node = node[part]
        node["_target_" if last == "target" else last] = value
    path.write_text(json.dumps(whole))


def test_what_was_saved_comes_back(loaded, folder):
    again = checkpoint.load(folder)
    own, read = loaded.model.state_dict(), again.model.state_dict()
    assert own.keys() == read.keys() and all(torch.equal(own[name], read[name]) for name in own)
    assert again.model.vocabulary == loaded.model.vocabulary and again.data_name == loaded.data_name
    assert again.model.detection == loaded.model.detection and again.model.generation == loaded.model.generation
    assert again.model.image_size == 96 and torch.equal(again.trained_on, loaded.trained_on)
    picture = noise(60, 80)
    assert again.model.caption_images([picture]) == loaded.model.caption_images([picture])
    by_file = densecap.load(folder / "model.safetensors")
    assert by_file.caption_images([picture]) == loaded.model.caption_images([picture])


def test_saved_again_it_says_the_same(folder, tmp_path):
    densecap.DenseCaptioner.from_pretrained(folder).save_pretrained(tmp_path / "second")
    for name in ("config.json", "vocabulary.json", "model.safetensors", "training_images.safetensors", "README.md"):
        assert (folder / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_nothing_of_the_machine_travels(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    assert set(config["config"]) == {"model", "detection", "generation", "data", "choices"}
    assert str(tmp_path) not in (folder / "config.json").read_text() + (folder / "README.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "training_images.safetensors", "vocabulary.json"
    ]  # fmt: skip


def test_the_card_says_what_is_known(folder, loaded):
    text = (folder / "README.md").read_text()
    assert "license: mit" in text and "- data set: csv" in text and "- steps: 70" in text
    for name in ("model.safetensors", "vocabulary.json"):
        assert f"{name}: SHA-256 `{hashlib.sha256((folder / name).read_bytes()).hexdigest()}`" in text
    assert f"{sum(value.numel() for value in loaded.model.state_dict().values()):,} numbers" in text
    loaded.model.save_pretrained(folder)
    assert "license" not in (folder / "README.md").read_text()


def test_from_pretrained_names_the_other_class(folder, tmp_path):
    with pytest.raises(UserError, match="is a DenseCaptioner, not a ImageCaptioner"):
        densecap.ImageCaptioner.from_pretrained(folder)
    whole = densecap.ImageCaptioner.from_pretrained(save_small_model(tmp_path / "w.ckpt", WHOLE))
    whole.save_pretrained(tmp_path / "whole")
    again = densecap.ImageCaptioner.from_pretrained(tmp_path / "whole")
    assert again.caption_images([noise(50, 70)]) == whole.caption_images([noise(50, 70)])


def test_a_model_without_a_configuration_is_not_saved(tmp_path):
    with pytest.raises(UserError, match="put together in Python"):
        small_image_captioner().save_pretrained(tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.Popen",
        "densecap.commands.run_record.subprocess.getoutput",
        "densecap.models.hub_model.tempfile.mkdtemp",
        "densecap.conversion.writing.save",
        "builtins.eval",
        "torch.nn.Linear",
    ],
)
@pytest.mark.parametrize(
    "place", ["config__model__target", "config__model__decoder__target", "config__detection__target"]
)
def test_a_configuration_builds_nothing_but_models(folder, tmp_path, target, place):
    change(folder, **{place: target})
    with pytest.raises(UserError, match=r"only densecap\.models\.\* may be built"):
        checkpoint.load(folder)


def test_a_value_that_hydra_would_resolve_is_refused(folder, tmp_path):
    mark = tmp_path / "mark"
    change(folder, config__model__image_size=f"${{oc.create:{{_target_: os.mkdir, path: {mark}}}}}")
    with pytest.raises(UserError, match="not resolved"):
        checkpoint.load(folder)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"config__model__decoder__hidden_dim": 10**12}, "asks for hidden_dim=1000000000000"),
        ({"config__model__decoder__num_layers": 10**6}, "asks for num_layers=1000000"),
        ({"config__model__recognition__hidden_dim": 900_000}, "do not fit the model"),
        ({"config__model__recognition__hidden_dim": -4}, "describes no model"),
        ({"config__model__decoder__no_such_key": 1}, "describes no model"),
        ({"config__model__decoder__target": "densecap.models.decoders.lstm.Nothing"}, "describes no model"),
        ({"config__model__target": "densecap.models.settings.DetectionSettings"}, "describes no model|no captioner"),
        ({"config__detection__max_proposals": -1}, "whole number above 0"),
        ({"version": 99}, "newer densecap"),
        ({"version": "1"}, "in which version"),
        ({"format": "bert"}, "no model of densecap"),
        ({"config": []}, "describes none"),
        ({"data_name": 3}, "on what data"),
    ],
)
def test_a_configuration_that_makes_no_sense(folder, values, message):
    change(folder, **values)
    start = time.process_time()
    with pytest.raises(UserError, match=message):
        checkpoint.load(folder)
    assert time.process_time() - start < 20


def test_words_that_make_no_sense(folder):
    for words, message in ((["a", "a"], "twice"), ("abc", "no list"), ([1, 2], "no list"), (["a"], "do not fit")):
        change(folder, "vocabulary.json", words=words)
        with pytest.raises(UserError, match=message):
            checkpoint.load(folder)


def test_tensors_with_a_broken_header(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    endless = (2 * 10**9).to_bytes(8, "little")
    broken = {
        "empty": b"",
        "seven bytes": whole[:7],
        "endless": endless + whole[8:1024],
        "larger than any number": b"\xff" * 8 + whole[8:],
        "cut off": whole[: len(whole) // 2],
        "longer": whole + b"\0",
        "no JSON": whole[:8] + b"[" * 200 + whole[208:],
        "text": b"this is no file of tensors at all",
    }
    for name, content in broken.items():
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"safetensors|cut off|damaged"):
            checkpoint.load(folder)
            pytest.fail(name)


def test_a_file_whose_header_lies(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    name = next(key for key in header if key != "__metadata__")
    for change_to in ({"shape": [10**9, 10**9]}, {"data_offsets": [0, 10**15]}, {"dtype": "F77"}, {"shape": "x"}):
        text = json.dumps(header | {name: header[name] | change_to}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + length :])
        with pytest.raises(UserError):
            checkpoint.load(folder)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
def test_flipped_bytes_give_a_sentence_or_a_model(folder, name):
    path, dice = folder / name, random.Random(name)
    whole = path.read_bytes()
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            content[dice.randrange(min(len(content), 3000))] = dice.randrange(256)
        path.write_bytes(content if dice.random() < 0.8 else content[: dice.randrange(len(content))])
        try:
            checkpoint.load(folder)
        except UserError as error:
            assert "\n" not in str(error)


def test_a_missing_file_is_named(folder):
    for name in ("vocabulary.json", "model.safetensors"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(UserError, match=name):
            checkpoint.load(folder)
        (folder / name).write_bytes(content)
    with pytest.raises(UserError, match="no folder"):
        read_description(folder / "nothing")


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_from_a_stranger_is_refused(tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "evil.ckpt"
    torch.save({"state_dict": {"model.x": RunsCode(mark)}, "densecap": {}}, path)
    with pytest.raises(UserError, match="could run code.*convert"):
        checkpoint.load(path)
    path.write_bytes(pickle.dumps(RunsCode(mark)))
    with pytest.raises(UserError, match="could run code.*convert"):
        checkpoint.load(path)
    assert not mark.exists()


def test_an_old_checkpoint_loads_and_a_hostile_one_does_not(tmp_path):
    path = save_small_model(tmp_path / "m.ckpt")
    content = torch.load(path, weights_only=True)
    for key in ("epoch", "global_step", "CaptioningDataModule"):  # as the first version wrote none
        del content[key]
    torch.save(content, path)
    assert checkpoint.load(path).trained_on is None
    for target in ("os.system", "densecap.commands.run_record.subprocess.getoutput"):
        content["densecap"]["config"]["model"]["decoder"]["_target_"] = target
        torch.save(content, path)
        with pytest.raises(UserError, match="may be built"):
            checkpoint.load(path)
    for own in (None, [], {"version": None}, {"version": 1, "config": {}, "words": None, "data_name": ""}):
        torch.save({"state_dict": {}, "densecap": own}, path)
        with pytest.raises(UserError, match="no densecap model"):
            checkpoint.load(path)
