"""How much each token of a text counts in an average.

By its identity: 1, or its idf, times a learned factor. In passages it also matters where a token
stands and how often its identity stands there: an occurrence counts 1 + lead x exp(-place /
lead_tokens), as passages name their subject first, and c such occurrences of an identity together
count as in BM25 (Robertson & Zaragoza 2009), with k1 = saturation and b = length_norm,

    c (k1 + 1) / (c + k1 (1 - b + b x length / mean length)).

B texts, T tokens, W words, I identities.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from twotower.artifacts import WordVectors
from twotower.config import Model
from twotower.towers.table import NO_IDENTITY, Table


class TokenWeights(nn.Module):
    """The weights of one side's tokens. Learned factors are exp(gain): positive, relative."""

    def __init__(self, config: Model, table: Table, *, mean_length: float, passages: bool) -> None:
        """passages: this is their side, where lead and saturation apply."""
        super().__init__()
        learned = config.token_weights == "learned"
        self.gains = nn.Parameter(torch.zeros_like(table.weight_I)) if learned else None
        self.table, self.config = table, config
        self.mean_length, self.passages = mean_length, passages

    def forward(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give (T,)."""
        identity_T = self.table.identity_W[ids_T]
        weights_T = self.table.weight_I[identity_T]
        if self.gains is not None:
            weights_T = weights_T * self.gains[identity_T].exp()
        if self.passages and (self.config.lead or self.config.saturation):
            weights_T = weights_T * self._occurrence(identity_T, lengths_B)
        return weights_T

    def _occurrence(self, identity_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give each token's share of what its identity's occurrences in the text count: (T,)."""
        text_T = torch.repeat_interleave(lengths_B)
        place_T = torch.arange(len(text_T), device=text_T.device)
        place_T = place_T - (lengths_B.cumsum(0) - lengths_B)[text_T]
        count_T = 1 + self.config.lead * (-place_T / self.config.lead_tokens).exp()
        if not self.config.saturation:
            return count_T
        _, slot_T = (text_T * len(self.table.weight_I) + identity_T).unique(return_inverse=True)
        total_T = torch.zeros_like(count_T).index_add_(0, slot_T, count_T)[slot_T]
        real_T = (identity_T != NO_IDENTITY).to(count_T.dtype)
        length_B = torch.zeros(len(lengths_B), device=text_T.device).index_add_(0, text_T, real_T)
        b, k1 = self.config.length_norm, self.config.saturation
        long_T = (1 - b + b * length_B / (self.mean_length or 1.0))[text_T]
        saturated_T = count_T * (k1 + 1) / (total_T + k1 * long_T)
        return saturated_T.where(identity_T != NO_IDENTITY, count_T)  # strangers are no repeats


def mean_passage_length(weight_I: np.ndarray, vectors: WordVectors) -> float:
    """Give the length of a mean passage's sum of identities: the root of its mean square.

    Random directions are orthogonal but for chance, so the square is the sum over its identities of
    their weights' squares, each taken as standing there once.
    """
    share_I = np.minimum(vectors.df_I, vectors.passages) / max(vectors.passages, 1)
    return float(np.sqrt((share_I * weight_I.astype(np.float64) ** 2).sum()))
