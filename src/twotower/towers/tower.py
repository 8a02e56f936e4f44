"""One tower: an encoder, what follows it, and how its side's tokens are weighed.

B texts, T tokens, D width of a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twotower.config import Model
from twotower.towers.weights import TokenWeights


class Head(nn.Module):
    """From the encoder's vector to the tower's: layer norm, dropout, projection, where wanted."""

    def __init__(self, config: Model, width: int) -> None:
        """width: numbers the encoder gives."""
        super().__init__()
        self.norm = nn.LayerNorm(width) if config.layer_norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        projected = config.projection
        self.projection = nn.Linear(width, projected) if projected else nn.Identity()
        self.width = projected or width

    def forward(self, pooled_BE: Tensor) -> Tensor:
        """Give (B, D)."""
        out_BD: Tensor = self.projection(self.dropout(self.norm(pooled_BE)))
        return out_BD


class Tower(nn.Module):
    """Texts of one side to vectors.

    Its anchor is a first dimension of fixed size: of passages, and 0 in queries. To a cosine, which
    divides by the passage's length, a long anchor makes all passages almost equally long: long ones
    then lose by a pivoted length (Singhal et al. 1996), and not in proportion.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: Head,
        weigh: TokenWeights,
        *,
        anchor: float | None,
    ) -> None:
        """anchor: the size of that dimension; None if vectors have none."""
        super().__init__()
        self.encoder, self.head, self.weigh, self.anchor = encoder, head, weigh, anchor
        self.width = head.width + (anchor is not None)

    def forward(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give (B, D)."""
        vectors_BD: Tensor = self.head(self.encoder(ids_T, lengths_B, self.weigh))
        if self.anchor is None:
            return vectors_BD
        return torch.cat(
            [vectors_BD.new_full((len(vectors_BD), 1), self.anchor), vectors_BD], dim=1
        )
