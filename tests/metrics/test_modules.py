"""The metrics as classes: the same figures in pieces, merged, on several ranks, with repeated images, as in one go."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch.utils.data.distributed import DistributedSampler
from torchmetrics import MetricCollection

from densecap.metrics.bleu import bleu
from densecap.metrics.cider import cider, document_frequencies
from densecap.metrics.dense_map.evaluation import score_dense_captions
from densecap.metrics.dense_modules import DenseMapMetric, LanguageMeteorMetric, ProposalRecallMetric
from densecap.metrics.detection import proposal_recall_table
from densecap.metrics.language_meteor import language_meteor
from densecap.metrics.modules import BleuMetric, CiderMetric, MeteorMetric, PerplexityMetric, RougeLMetric
from densecap.metrics.rouge_l import rouge_l
from tests.fakes.captions import split
from tests.metrics.test_dense_map import random_record, scorer

COUNT = 7
CANDIDATES, REFERENCES = split(COUNT, seed=3)
FIXED = document_frequencies(split(40, seed=9)[1])
IDS = [f"image{index}" for index in range(COUNT)]
RECORDS = [random_record(np.random.default_rng(index), IDS[index]) for index in range(COUNT)]
TORCH = torch.Generator().manual_seed(0)
LOGITS, TARGETS = torch.randn(COUNT, 5, 9, generator=TORCH), torch.randint(9, (COUNT, 5), generator=TORCH)
TARGETS[2, 3:] = -100
BOXES = [(torch.from_numpy(record.boxes), torch.from_numpy(record.truth_boxes)) for record in RECORDS]


def statistics(pairs):
    """Stands in for METEOR's 23 numbers: three of them."""
    return np.array(
        [[len(own.split()), len(others), len(set(own.split()) & set(others[0].split()))] for own, others in pairs]
    )


def corpus_score(rows):
    return float(rows[:, 2].sum() / rows[:, 0].sum())


def captions(add, rows):
    add([IDS[i] for i in rows], [CANDIDATES[i] for i in rows], [REFERENCES[i] for i in rows])


def records(add, rows):
    add([RECORDS[i] for i in rows])


def tokens(add, rows):
    add([IDS[i] for i in rows], LOGITS[rows], TARGETS[rows])


def boxes(add, rows):
    add([IDS[i] for i in rows], [BOXES[i][0] for i in rows], [BOXES[i][1] for i in rows])


METRICS = {
    "bleu": (BleuMetric, captions),
    "cider": (CiderMetric, captions),
    "cider fixed": (lambda **kwargs: CiderMetric(FIXED, **kwargs), captions),
    "rouge_l": (RougeLMetric, captions),
    "meteor": (lambda **kwargs: MeteorMetric(statistics, corpus_score, **kwargs), captions),
    "perplexity": (PerplexityMetric, tokens),
    "dense_map": (lambda **kwargs: DenseMapMetric(scorer, **kwargs), records),
    "dense_map 2016": (lambda **kwargs: DenseMapMetric(scorer, "densecap2016", **kwargs), records),
    "language": (lambda **kwargs: LanguageMeteorMetric(scorer, **kwargs), records),
    "recall": (ProposalRecallMetric, boxes),
}


def figures(value):
    return {key: float(item) for key, item in value.items()} if isinstance(value, dict) else {"": float(value)}


def same(expected):
    """Equal but for the last bits of sums."""
    return pytest.approx(expected, abs=1e-12)


def in_one_go(name):
    make, update = METRICS[name]
    metric = make()
    update(metric.update, list(range(COUNT)))
    return figures(metric.compute())


def test_they_say_what_the_functions_say():
    corpus = bleu(CANDIDATES, REFERENCES).corpus
    assert in_one_go("bleu") == {f"BLEU-{order}": value for order, value in enumerate(corpus.tolist(), start=1)}
    assert in_one_go("cider") == {"": pytest.approx(cider(CANDIDATES, REFERENCES).corpus, abs=1e-12)}
    assert in_one_go("cider fixed") == {"": pytest.approx(cider(CANDIDATES, REFERENCES, FIXED).corpus, abs=1e-12)}
    assert in_one_go("rouge_l") == {"": pytest.approx(rouge_l(CANDIDATES, REFERENCES).corpus, abs=1e-12)}
    loss = torch.nn.functional.cross_entropy(LOGITS.double().flatten(0, 1), TARGETS.flatten())
    assert in_one_go("perplexity") == {"": pytest.approx(float(loss.exp()), rel=1e-6)}
    assert in_one_go("dense_map") == score_dense_captions(RECORDS, scorer)["standard"].figures()
    table = proposal_recall_table([b for b, _ in BOXES], [t for _, t in BOXES])
    assert list(in_one_go("recall").values()) == table.flatten().tolist()
    ordered = [[r.captions[i] for i in np.argsort(-r.scores, kind="stable")] for r in RECORDS]
    expected = language_meteor(ordered, [r.truth_captions for r in RECORDS], scorer).mean
    assert in_one_go("language") == {"": pytest.approx(expected, abs=1e-12)}


@pytest.mark.parametrize("name", METRICS)
def test_batches_repeats_and_order_change_nothing(name):
    make, update = METRICS[name]
    metric = make()
    for rows in ([4, 6], [0], [4, 5], [], [3, 2, 1], [0, 6]):
        update(metric.update, rows)
    assert figures(metric.compute()) == same(in_one_go(name))
    metric.reset()
    update(metric.update, [1, 2])
    update(metric.update, [0, 3, 4, 5, 6])
    assert figures(metric.compute()) == same(in_one_go(name))


@pytest.mark.parametrize("name", METRICS)
def test_merging_copying_and_moving(name):
    make, update = METRICS[name]
    first, second = make(), make()
    update(first.update, [0, 1, 2])
    update(second.update, [2, 3, 4, 5, 6])
    second = pickle.loads(pickle.dumps(second)) if name in ("bleu", "cider") else deepcopy(second)
    first.to("cpu").half().merge_state(second)
    assert figures(first.compute()) == same(in_one_go(name))
    assert first.state_dict() == {}


@pytest.mark.parametrize("name", METRICS)
def test_forward_gives_the_batch_and_adds_it(name):
    make, update = METRICS[name]
    metric, part = make(), make()
    update(part.update, [0, 1, 2])
    update(metric.forward, [3, 4, 5, 6])
    update(metric.forward, [0, 1, 2])
    assert figures(metric._forward_cache) == same(figures(part.compute()))
    assert figures(metric.compute()) == same(in_one_go(name))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "shares", [([0, 2, 4, 6], [1, 3, 5, 0]), ([], list(range(COUNT))), ([5], [0, 1, 2, 3, 4, 5, 6])]
)
def test_ranks_agree_and_keep_what_they_had(name, shares, monkeypatch):
    make, update = METRICS[name]
    ranks = [make(distributed_available_fn=lambda: True) for _ in shares]
    for metric, rows in zip(ranks, shares):
        update(metric.update, rows)
        metric.prepare()

    def gather(parts, own, group=None):
        parts[:] = [pickle.loads(pickle.dumps(metric.records)) for metric in ranks]

    monkeypatch.setattr(torch.distributed, "get_world_size", lambda group=None: len(ranks))
    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    for metric, rows in zip(ranks, shares):
        assert figures(metric.compute()) == same(in_one_go(name))
        assert len(metric.records) == len(rows)  # un-synchronised again
        update(metric.update, [6])
        assert figures(metric.compute()) == same(in_one_go(name))


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_metrics_of_nothing():
    assert figures(BleuMetric().compute()) == dict.fromkeys([f"BLEU-{n}" for n in range(1, 5)], 0.0)
    for make in (CiderMetric, lambda: CiderMetric(FIXED), RougeLMetric, lambda: MeteorMetric(statistics, corpus_score)):
        assert float(make().compute()) == 0.0
    for make in (PerplexityMetric, lambda: LanguageMeteorMetric(scorer)):
        assert float(make().compute()) != float(make().compute())  # NaN
    assert np.isnan(list(figures(DenseMapMetric(scorer).compute()).values())).all()


def test_raw_captions_are_cut_into_words():
    metric = BleuMetric()
    metric.update(["a"], ["A man's dog isn't here."], [["a man 's dog is n't here"]])
    assert float(metric.compute()["BLEU-4"]) == pytest.approx(1.0)
    raw = BleuMetric(tokenizer=None)
    raw.update(["a"], ["A dog."], [["a dog"]])
    assert float(raw.compute()["BLEU-1"]) == pytest.approx(0.0, abs=1e-6)


def test_a_collection_keeps_them_apart():
    collection = MetricCollection({"bleu": BleuMetric(), "rouge": RougeLMetric(), "cider": CiderMetric()})
    collection.update(IDS, CANDIDATES, REFERENCES)
    values = collection.compute()
    assert float(values["rouge"]) == in_one_go("rouge_l")[""]
    assert float(values["cider"]) == in_one_go("cider")[""]


def test_words_are_scored_once_for_all_images_not_per_update():
    calls = []

    def counting(pairs):
        calls.append(len(pairs))
        return scorer(pairs)

    metric = DenseMapMetric(counting)
    for index in range(COUNT):
        records(metric.update, [index])
    score = metric.score()
    metric.compute()
    assert len(calls) == 1
    assert score.num_images == COUNT


def test_wrong_lengths_are_refused():
    with pytest.raises(ValueError, match="as many"):
        BleuMetric().update(["a"], [], [])
    with pytest.raises(ValueError, match="1 image ids for 7 captions"):
        PerplexityMetric().update(["a"], LOGITS, TARGETS)


def _on_a_rank(rank: int, world: int, folder: str) -> None:
    torch.distributed.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=world)
    results: dict[str, dict[str, float]] = {}
    for name, (make, update) in METRICS.items():
        sampler = DistributedSampler(range(COUNT), world, rank, shuffle=False)
        shares = {"padded": list(sampler), "empty": [] if rank else list(range(COUNT)), "uneven": [[3], IDS][rank]}
        for kind, rows in shares.items():
            rows = list(range(COUNT)) if rows is IDS else rows
            metric = make()
            update(metric.update, rows)
            first = figures(metric.compute())
            update(metric.update, rows[:1])
            assert figures(metric.compute()) == first
            results[f"{name}, {kind}"] = first
    torch.save(results, f"{folder}/rank{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.long
def test_two_processes_say_what_one_says(tmp_path):
    torch.multiprocessing.spawn(_on_a_rank, (2, str(tmp_path)), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert first == second
    assert len(first) == 3 * len(METRICS)
    for key, value in first.items():
        assert value == same(in_one_go(key.split(",")[0])), key
