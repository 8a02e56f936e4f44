"""Poolings: from the states of a padded batch to one vector a text, over its real tokens alone.

A new pooling is one class and one line in POOLINGS.

B texts, L tokens of the longest, H width of a state.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Mean(nn.Module):
    """The mean of the states."""

    def __init__(self, width: int) -> None:
        """Need no weights, whatever the width."""
        super().__init__()
        del width

    def forward(self, states_BLH: Tensor, real_BL: Tensor) -> Tensor:
        """Give (B, H)."""
        return (states_BLH * real_BL.unsqueeze(2)).sum(1) / real_BL.sum(1, keepdim=True)


class Max(Mean):
    """The largest value of each dimension."""

    def forward(self, states_BLH: Tensor, real_BL: Tensor) -> Tensor:
        """Give (B, H)."""
        return states_BLH.masked_fill(~real_BL.unsqueeze(2), -torch.inf).amax(1)


class Last(Mean):
    """The state after the last token that its direction reads: the text's first, backwards."""

    def forward(self, states_BLH: Tensor, real_BL: Tensor) -> Tensor:
        """Give (B, H)."""
        last_B = real_BL.sum(1) - 1
        return states_BLH[torch.arange(len(last_B), device=last_B.device), last_B]


class Attention(nn.Module):
    """The mean of the states, weighted by a softmax over a learned score of each.

    One head with a learned query (Yang et al. 2016, without the hidden layer). It starts as the
    mean, since the query starts at zero.
    """

    def __init__(self, width: int) -> None:
        """width: H."""
        super().__init__()
        self.query = nn.Parameter(torch.zeros(width))

    def forward(self, states_BLH: Tensor, real_BL: Tensor) -> Tensor:
        """Give (B, H)."""
        score_BL = (states_BLH @ self.query).masked_fill(~real_BL, -torch.inf)
        return (states_BLH * score_BL.softmax(1).unsqueeze(2)).sum(1)


POOLINGS: dict[str, type[nn.Module]] = {
    "mean": Mean,
    "max": Max,
    "last": Last,
    "attention": Attention,
}
