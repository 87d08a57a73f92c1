"""Starting from other weights: shared words keep their rows, everything else its tensors."""

import torch

from densecap.text.vocabulary import Vocabulary
from densecap.transfer import transfer_weights


def rename(model, words):
    model.vocabulary = Vocabulary(words)
    return model


def test_shared_words_keep_their_rows(make_captioner):
    old = rename(make_captioner(seed=1), ["a", "red", "dog", *[f"old{index}" for index in range(27)]])
    new = rename(make_captioner(seed=2), ["dog", "cat", "a", *[f"new{index}" for index in range(27)]])
    before = new.decoder.embedding.weight.clone()
    report = transfer_weights(new, old.state_dict(), old.vocabulary)
    assert report.kept_words == ["dog", "a"] and len(report.new_words) == 28 and report.left == []
    for table, source in ((new.decoder.embedding.weight, old.decoder.embedding.weight),):
        assert torch.equal(table[1], source[3]) and torch.equal(table[3], source[1])  # dog, a
        assert torch.equal(table[0], source[0]) and torch.equal(table[31], source[31])  # END, START
        assert torch.equal(table[2], before[2])  # cat is new
    assert torch.equal(new.decoder.output.weight[1], old.decoder.output.weight[3])
    assert torch.equal(new.recognition.fc6.weight, old.recognition.fc6.weight)
    assert "2 words kept (dog, a)" in report.sentence() and "28 words start afresh" in report.sentence()


def test_same_words_take_everything(make_captioner):
    old, new = make_captioner(seed=1), make_captioner(seed=2)
    transfer_weights(new, old.state_dict(), old.vocabulary)
    assert all(torch.equal(a, b) for a, b in zip(new.state_dict().values(), old.state_dict().values()))


def test_tensors_of_another_shape_are_left_and_named(make_captioner):
    old, new = make_captioner(seed=1), make_captioner(seed=2)
    weights = old.state_dict()
    weights["recognition.fc6.weight"] = torch.zeros(3, 3)
    del weights["recognition.fc7.bias"]
    report = transfer_weights(new, weights, old.vocabulary)
    assert report.left == ["recognition.fc6.weight", "recognition.fc7.bias"]
    assert "not taken: recognition.fc6.weight, recognition.fc7.bias" in report.sentence()
