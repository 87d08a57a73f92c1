"""How retrieval is measured; by ``eval`` only."""

from __future__ import annotations

from dataclasses import dataclass

from densecap.errors import UserError

CORRECTIONS = ("marginal", "mean_image", "none")


@dataclass(frozen=True)
class RetrievalSettings:
    """What ranks the sentences for an image: log p(w | I) less

    ``marginal``    log p(w), from ``num_marginal`` training images drawn with ``seed``, all when there are fewer
    ``mean_image``  log p(w | the mean of these images' features)
    ``none``        nothing

    ``features`` is a file of features of the data set, made by extract_features. Errors: UserError for other values.
    """

    num_marginal: int = 1000
    correction: str = "marginal"
    seed: int = 0
    features: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.num_marginal, int) or self.num_marginal < 1:
            raise UserError(f"metric.retrieval.num_marginal is a whole number above 0, got {self.num_marginal}")
        if self.correction not in CORRECTIONS:
            raise UserError(f"metric.retrieval.correction is one of {', '.join(CORRECTIONS)}, got {self.correction}")

    #: As of ``KeyedMetric``, beside which it stands where metrics of training are chosen.
    judges_boxes = False

    def problem(self) -> str:
        """Why it is no metric of training: a sentence as ``KeyedMetric.problem`` gives."""
        return "retrieval compares all images with all sentences, which eval does once, not training after every epoch"

    def without_words(self) -> None:
        """What remains of it there."""
