"""The 23 numbers of a pair of sentences that METEOR's score is computed from.

Columns: 0 words of the candidate, 1 of the reference, 2 function words of the candidate, 3 of the reference; then for
exact, stem, synonym and paraphrase matches four each: matched content words of the candidate, of the reference,
matched function words of the candidate, of the reference; 20 chunks; 21 matched words of the candidate, 22 of the
reference. These are the columns that the Java scorer's SCORE command prints.
"""

from __future__ import annotations

import numpy as np

from densecap.metrics.meteor.alignment import align
from densecap.metrics.meteor.batch import Batch
from densecap.metrics.meteor.lexicon import Lexicon
from densecap.metrics.meteor.matches import join, word_matches
from densecap.metrics.meteor.paraphrases import ParaphraseMatcher

COLUMNS = 23
CHUNKS, CANDIDATE_MATCHED, REFERENCE_MATCHED = 20, 21, 22
MODULES = 4


def batch_statistics(batch: Batch, lexicon: Lexicon, paraphrases: ParaphraseMatcher) -> np.ndarray:
    """Statistics (P, 23) float64 of the pairs of a batch."""
    matches = join([*word_matches(batch, lexicon), *paraphrases(batch, lexicon)])
    chosen, chunks = align(batch, matches)
    functions = _function_counts(batch, lexicon)
    rows = np.zeros((len(batch.candidates), COLUMNS))
    for column, sentences in enumerate((batch.candidates, batch.references)):
        rows[:, column] = batch.lengths[sentences]
        rows[:, 2 + column] = (functions[batch.offsets[1:]] - functions[batch.offsets[:-1]])[sentences]
    sides = (
        (batch.candidates, chosen.candidate_start, chosen.candidate_length),
        (batch.references, chosen.reference_start, chosen.reference_length),
    )
    for side, (sentences, start, length) in enumerate(sides):
        first = batch.offsets[sentences[chosen.pair]] + start
        function = functions[first + length] - functions[first]
        for kind, counts in ((0, length - function), (2, function)):
            cells = chosen.pair * MODULES + chosen.module
            sums = np.bincount(cells, weights=counts, minlength=MODULES * len(rows))
            rows[:, 4 + kind + side : 20 : 4] = sums.reshape(-1, MODULES)
    rows[:, CHUNKS] = chunks
    rows[:, CANDIDATE_MATCHED] = rows[:, 4:20:2].sum(axis=1)
    rows[:, REFERENCE_MATCHED] = rows[:, 5:20:2].sum(axis=1)
    return rows


def _function_counts(batch: Batch, lexicon: Lexicon) -> np.ndarray:
    """How many function words precede each word of the batch: (T + 1,)."""
    function = lexicon.are_function_words(batch.vocabulary)[batch.words]
    return np.concatenate(([0], np.cumsum(function)))
