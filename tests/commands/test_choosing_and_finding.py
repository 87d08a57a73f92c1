"""Re-ranking, retrieval and search as people use them, with a miniature m-RNN trained for two steps."""

import json
import logging
import sys
from pathlib import Path

import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from PIL import Image

from densecap import checkpoint
from densecap.cli.entry import run
from densecap.commands import reranking
from tests.fakes.flickr8k import write_flickr8k
from tests.fakes.visual_genome import write_picture

DATA = ["data=flickr8k", "data.root=f8k", "data.min_token_count=1", "data.image_size=48"]
MODEL = [
    "model=mrnn_vgg16", "model/backbone=conv_small", "model.backbone.widths=[6,6,6,8]", "model.backbone.num_blocks=1",
    "model.input_size=32", "model.decoder.hidden_dim=8", "model.decoder.multimodal_dim=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with photos, a prepared file and last.ckpt."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch, kept_logging():
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["train.py"])
        write_flickr8k(folder / "f8k", counts=(6, 2, 4))
        options = ["trainer=cpu", "trainer.max_epochs=1", "data.batch_size=3", "logger=none"]
        assert run([*DATA, *MODEL, *options], "train") == 0
    return folder


class kept_logging:
    """Leaves logging and Hydra's global state as they were."""

    def __enter__(self):
        self.before = logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg

    def __exit__(self, *error):
        logging.root.handlers[:], logging.root.level, HydraConfig.instance().cfg = self.before


@pytest.fixture(autouse=True)
def folder(trained, monkeypatch):
    monkeypatch.chdir(trained)
    monkeypatch.setattr(sys, "argv", ["densecap"])
    with kept_logging():
        yield trained


def densecap(command, *words):
    return run([*words, "device=cpu"], command)


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("rerank", ["mbr", "consensus"])
def test_eval_keeps_the_hypothesis_that_was_chosen(rerank):
    words = ["rerank.num_captions=3", *(["rerank.num_neighbours=2"] if rerank == "consensus" else [])]
    assert densecap("eval", *DATA, f"rerank={rerank}", *words, f"output.dir={rerank}", "metric=[bleu,cider]") == 0
    predictions = read(f"{rerank}/predictions.json")
    assert predictions["model"]["config"]["rerank"]["name"] == rerank
    assert predictions["model"]["config"]["generation"]["beam_size"] == 3
    for image in predictions["images"]:
        (region,) = image["regions"]
        assert len(region["captions"]) == 3
        assert region["caption"] in [said["caption"] for said in region["captions"]]
    report = read(f"{rerank}/report.json")
    assert report["protocols"]["images"]["captions"]["captions"] == 4


def test_exchanged_images_get_the_captions_of_each_other():
    words = ["metric=[cider]", "generation.max_length=8"]
    assert densecap("eval", *DATA, *words, "output.dir=plain") == 0
    assert densecap("eval", *DATA, *words, "output.dir=exchanged", "exchange_images=true") == 0
    own, other = (
        {image["image_id"]: image["regions"][0] for image in read(f"{name}/predictions.json")["images"]}
        for name in ("plain", "exchanged")
    )
    assert list(own) == list(other)
    likely = [[region["log_prob"] for region in found.values()] for found in (own, other)]
    assert sorted(likely[0]) == sorted(likely[1])  # the same captions
    assert len(set(likely[0])) == 4 and not any(one == two for one, two in zip(*likely))  # of other images
    plain, exchanged = (read(f"{name}/report.json") for name in ("plain", "exchanged"))
    assert "images were exchanged" in exchanged["warnings"][0] and not plain["warnings"]
    assert read("exchanged/predictions.json")["model"]["config"]["exchange_images"] is True


def test_predict_chooses_as_well(folder):
    (folder / "photos").mkdir()
    write_picture(folder / "photos" / "a.jpg", (40, 60), 9)
    data = next(folder.glob("data/flickr8k*.h5"))
    words = ["rerank=consensus", f"rerank.data={data}", "rerank.num_captions=4", "output.formats=[json]"]
    assert densecap("predict", "source=photos", *words, "output.dir=chosen") == 0
    (image,) = read("chosen/predictions.json")["images"]
    assert len(image["regions"][0]["captions"]) == 4
    assert densecap("predict", "source=photos", "rerank=mbr", "output.formats=[json]", "output.dir=agreed") == 0


def test_eval_measures_retrieval_where_it_is_asked_for(capsys):
    words = ["metric=[retrieval]", "metric.retrieval.num_marginal=4", "output.dir=retrieval"]
    assert densecap("eval", *DATA, *words) == 0
    found = read("retrieval/report.json")["model"]["retrieval"]
    assert (found["num_marginal"], found["correction"]) == (4, "marginal")
    assert found["sentence_from_image"]["queries"] == 4 and found["sentence_from_image"]["candidates"] == 20
    assert found["image_from_sentence"]["queries"] == 20 and found["image_from_sentence"]["R@5"] == 1.0
    out, err = capsys.readouterr()
    assert "sentence from image, 4 among 20" in out and "median rank" in out
    assert "retrieval: 4 images and 4 training images, each with 20 sentences" in err


def test_search_indexes_once_and_finds_by_words(folder, capsys):
    photos = folder / "f8k" / "Flicker8k_Dataset"
    assert densecap("search", f"source={photos}", "index=album", "query=a dog runs; woman", "top=3") == 0
    results = read("outputs/search/results.json")
    assert results["phrases"] == ["a dog runs", "woman"] and len(results["images"]) == 3
    scores = [image["score"] for image in results["images"]]
    assert scores == sorted(scores, reverse=True)
    assert Image.open("outputs/search/sheet.jpg").width > 3 * 480
    assert densecap("search", f"source={photos}", "index=album") == 0
    assert "13 of 13 photos are in album already" in capsys.readouterr().err
    assert densecap("search", "dog zebra", "index=album", "top=1") == 0
    out, err = capsys.readouterr()
    assert "the model does not know zebra: looking for dog" in err and "described as" in out
    assert Path("outputs/search-2/results.json").is_file()


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        ("search", ["index=nowhere", "query=dog"], "there is no index in nowhere"),
        ("search", ["index=nowhere"], "needs photos to index"),
        ("predict", ["source=f8k/Flicker8k_Dataset", "rerank=consensus"], "rerank.data=FILE"),
        ("eval", [*DATA, "rerank=mbr", "rerank.num_captions=1"], "rerank.num_captions is a whole number above 1"),
        ("eval", [*DATA, "rerank=mbr", "predictions=x.json"], "rerank and exchange_images need a model"),
        ("eval", [*DATA, "exchange_images=true", "rerank=consensus"], "goes with rerank=none or mbr, and without"),
        (
            "eval",
            [*DATA, "metric=[retrieval]", "metric.retrieval.correction=median"],
            "one of marginal, mean_image, none",
        ),
        ("eval", [*DATA, "rerank=consensus", "rerank.similarity=meteor"], "rerank.similarity is one of cider, bleu"),
    ],
)
def test_mistakes_are_one_sentence(command, words, message, capsys):
    assert densecap(command, *words) == 2
    assert message in capsys.readouterr().err


def test_search_refuses_an_index_of_another_model(folder, capsys):
    card = {"version": 1, "model": {"checkpoint": "best.ckpt", "sha256": "0", "config": {}}, "max_regions": 100}
    (folder / "other" / "parts").mkdir(parents=True)
    (folder / "other" / "index.json").write_text(json.dumps(card))
    newest = checkpoint.newest("outputs", "last")
    assert densecap("search", "dog", "index=other", f"ckpt={newest}") == 2
    assert "other was indexed with another model than" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "used"), [(None, "own.h5"), ("other.h5", None)])
def test_features_of_another_data_set_are_not_for_the_evaluated_images(data, used, monkeypatch):
    asked = []
    monkeypatch.setattr(reranking, "ImageVectors", lambda loaded, source, given, size: asked.append(given))
    rerank = {"name": "consensus", "data": data, "features": "own.h5"}
    reranking.stored_features(OmegaConf.create({"rerank": rerank, "batch_size": 1}), None, None)
    assert asked == [used]
