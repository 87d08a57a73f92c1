"""Log-probabilities of a few words out of V, with as little work on the other V as their normalizer allows.

Nearly all of the time of scoring pairs goes into one product of matrices, the rest into V exponentials a row. So scores
are written into a buffer that stays in the cache, exponentials replace them there, and the bias enters as a product
with exp(bias) while they are summed. No maximum is subtracted; the few rows whose sum leaves the range in which float32
is exact are done again with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from densecap.models.decoders.words import SharedOutput

#: Bytes of the buffer of scores: on a processor what caches hold, on a GPU what keeps it busy; and rows
#: that it has at least, since products of fewer are slow.
CPU_BYTES, GPU_BYTES, LEAST_ROWS = 8 << 20, 256 << 20, 128

#: Sums of exponentials within these are as exact as with the maximum subtracted.
_SMALLEST, _LARGEST = 1e-20, 1e30


class OutputLayer:
    """The last layer of a decoder, (..., H) -> (..., V + 1), asked for log-probabilities of chosen words.

    A linear layer, alone, at the end of a sequence or sharing the embedding, takes the quick way, any other module its
    own. Several threads may ask at once. ``with_numpy`` multiplies matrices by NumPy, on processors.
    """

    def __init__(self, output: nn.Module, num_scores: int) -> None:
        self.num_scores = num_scores
        self.before, weight, bias = _last_linear(output)
        device = next((value.device for value in output.parameters()), torch.device("cpu"))
        budget = CPU_BYTES if device.type == "cpu" else GPU_BYTES
        self.max_rows = max(LEAST_ROWS, budget // (4 * num_scores))
        self.weight = None if weight is None else weight.detach().float().contiguous()  # (V + 1, H)
        self.bias = torch.zeros(num_scores, device=device) if bias is None else bias.detach().float()
        self.exp_bias = self.bias.exp()
        self.with_numpy = False
        self._own = threading.local()  # a buffer for each thread

    def log_probs(self, hidden: Tensor, prefix: Tensor, word: Tensor) -> Tensor:
        """Hidden vectors (P, I, H) of P histories and I images, at most ``max_rows`` in all; C pairs of a history
        (C,) and a word (C,) -> log-probabilities (C, I)."""
        count, images = hidden.shape[:2]
        rows = self.before(hidden.flatten(0, 1)).float()  # (P * I, H)
        scores = rows if self.weight is None else self._scores(rows)
        chosen = scores.view(count, images, self.num_scores)[prefix, :, word] + self.bias[word][:, None]  # (C, I)
        normalizer = self._normalizer(rows, scores).view(count, images)
        return chosen.sub_(normalizer[prefix])

    def _scores(self, rows: Tensor) -> Tensor:
        """(R, H) -> (R, V + 1) in the thread's buffer, without the bias."""
        assert self.weight is not None
        if not hasattr(self._own, "buffer"):
            self._own.buffer = rows.new_empty(self.max_rows, self.num_scores)
        scores: Tensor = self._own.buffer[: len(rows)]
        if self.with_numpy:
            np.matmul(rows.numpy(), self.weight.numpy().T, out=scores.numpy())
            return scores
        return torch.mm(rows, self.weight.t(), out=scores)

    def _normalizer(self, rows: Tensor, scores: Tensor) -> Tensor:
        """Log of the sum (R,) of the exponentials of scores (R, V + 1), which are overwritten."""
        if self.weight is None:
            return scores.logsumexp(dim=1)
        sums = torch.mv(scores.exp_(), self.exp_bias)
        normalizer = sums.log()
        outside = ~((sums > _SMALLEST) & (sums < _LARGEST))
        if outside.any():
            normalizer[outside] = torch.addmm(self.bias, rows[outside], self.weight.t()).logsumexp(dim=1)
        return normalizer


def _last_linear(output: nn.Module) -> tuple[Callable[[Tensor], Tensor], Tensor | None, Tensor | None]:
    """What comes before the last layer, that layer's weight and its bias; all of it and None when it is not linear."""
    if type(output) is nn.Linear:
        return nn.Identity(), output.weight, output.bias
    if type(output) is nn.Sequential and len(output) and type(output[-1]) is nn.Linear:
        return output[:-1], output[-1].weight, output[-1].bias
    if isinstance(output, SharedOutput):
        return output.to_embedding, output.weight, output.bias
    return output, None, None
