"""Starting from the weights of another checkpoint (``init=CKPT``), also when the words differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from densecap.models.captioner import Captioner
from densecap.text.vocabulary import Vocabulary


@dataclass
class TransferReport:
    """What was taken: names of tensors taken and left, words kept and words that start afresh."""

    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    kept_words: list[str] = field(default_factory=list)
    new_words: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        def some(words: list[str]) -> str:
            return ", ".join(words[:8]) + (", ..." if len(words) > 8 else "")

        text = f"took {len(self.taken)} of {len(self.taken) + len(self.left)} tensors"
        text += (
            f"; {len(self.kept_words)} words kept ({some(self.kept_words)})" if self.kept_words else "; no word kept"
        )
        if self.new_words:
            text += f"; {len(self.new_words)} words start afresh ({some(self.new_words)})"
        return text + (f"; not taken: {some(self.left)}" if self.left else "")


def transfer_weights(model: Captioner, weights: Mapping[str, Tensor], vocabulary: Vocabulary) -> TransferReport:
    """Copy every tensor whose name and shape agree, and the rows of shared words of the decoder's word tables.

    ``vocabulary`` is the one the ``weights`` were trained with.
    """
    shared = [word for word in model.vocabulary.words if word in vocabulary]
    report = TransferReport(kept_words=shared)
    report.new_words = [word for word in model.vocabulary.words if word not in vocabulary]
    same_words = model.vocabulary == vocabulary
    with torch.no_grad():
        for name, own in model.state_dict().items():
            given = weights.get(name)
            if given is None:
                report.left.append(name)
            elif _is_word_table(name, own, given, model.vocabulary, vocabulary) and not same_words:
                _copy_rows(own, given, model.vocabulary, vocabulary, shared)
                report.taken.append(name)
            elif given.shape == own.shape:
                own.copy_(given)
                report.taken.append(name)
            else:
                report.left.append(name)
    return report


def _is_word_table(name: str, own: Tensor, given: Tensor, new: Vocabulary, old: Vocabulary) -> bool:
    if not name.startswith("decoder.") or own.dim() == 0 or own.shape[1:] != given.shape[1:]:
        return False
    extra = own.shape[0] - len(new)
    return extra in (1, 2) and given.shape[0] - len(old) == extra


def _copy_rows(own: Tensor, given: Tensor, new: Vocabulary, old: Vocabulary, shared: list[str]) -> None:
    rows, sources = [0, *new.encode(shared)], [0, *old.encode(shared)]
    if own.shape[0] == len(new) + 2:  # an embedding also has START
        rows.append(new.start)
        sources.append(old.start)
    own[torch.tensor(rows)] = given[torch.tensor(sources)].to(own)
