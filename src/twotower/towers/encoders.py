"""Encoders: from token ids to one vector a text. Padding can never change a vector.

A batch is ragged: `ids_T` holds all its tokens, one text after the other, `lengths_B` how many each
has (at least one). A new encoder is one class and one line in ENCODERS.

B texts, T tokens of all of them, L tokens of the longest, W words, E width of the table, H hidden
width, D output width.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from twotower.config import Model


class Average(nn.Module):
    """The weighted mean of the word vectors; its length does not matter, so it is left a sum.

    Learned weights are idf x exp(gain): positive, and moved by the same share for every word.
    """

    def __init__(self, config: Model, table_WE: Tensor, idf_W: Tensor) -> None:
        """Start from a table and, for idf and learned weights, from the words' idf."""
        super().__init__()
        self.table = nn.Parameter(table_WE.clone())
        weights_W = torch.ones_like(idf_W) if config.token_weights == "none" else idf_W.clone()
        self.weights: Tensor
        self.register_buffer("weights", weights_W)
        learned = config.token_weights == "learned"
        self.gains = nn.Parameter(torch.zeros_like(idf_W)) if learned else None
        self.width = table_WE.shape[1]

    def forward(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give (B, E)."""
        weights_T = self.weights[ids_T]
        if self.gains is not None:
            weights_T = weights_T * self.gains[ids_T].exp()
        starts_B = lengths_B.cumsum(0) - lengths_B
        return functional.embedding_bag(
            ids_T, self.table, starts_B, mode="sum", per_sample_weights=weights_T
        )


class Recurrent(nn.Module):
    """An RNN, GRU or LSTM, its states pooled over the text's own tokens.

    Texts are sorted by length and read in groups, so that little is padded. Padding stands on the
    right of both the text and the reversed text, where no state before it can see it, and pooling
    leaves it out. Two cells of one direction each, because torch's packed sequences are ten times
    slower to train on a CPU: each step's backward pass touches the whole batch.
    """

    def __init__(self, config: Model, table_WE: Tensor, idf_W: Tensor) -> None:
        """Start from a table; the cells' weights come from torch's seeded generator."""
        super().__init__()
        del idf_W  # a recurrent encoder weighs words itself
        cell = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config.encoder]
        self.table = nn.Parameter(table_WE.clone())
        directions = 2 if config.bidirectional else 1
        self.cells = nn.ModuleList(
            cell(table_WE.shape[1], config.hidden, batch_first=True) for _ in range(directions)
        )
        self.pool = POOLINGS[config.pooling]
        self.width = config.hidden * directions

    def forward(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give (B, D): the pooled states of each direction, side by side."""
        order_B = lengths_B.argsort(stable=True)
        sorted_B = lengths_B[order_B]
        words_TE = functional.embedding(_reordered(ids_T, lengths_B, order_B), self.table)
        words_TE = words_TE * self.table.shape[1] ** 0.5  # about 1 a dimension, as cells expect
        lengths = sorted_B.chunk(min(LENGTH_GROUPS, len(order_B)))
        # One split, one look-up: each more would cost a gradient of the whole table.
        words = words_TE.split([int(group_B.sum()) for group_B in lengths])
        pooled_BD = torch.cat([self._read(*group) for group in zip(words, lengths, strict=True)])
        return pooled_BD[order_B.argsort()]

    def _read(self, words_TE: Tensor, lengths_B: Tensor) -> Tensor:
        """Read texts of similar length in every direction: (B, D)."""
        place_L = torch.arange(int(lengths_B.max()), device=lengths_B.device)
        real_BL = place_L < lengths_B.unsqueeze(1)
        ends_B1 = lengths_B.cumsum(0).unsqueeze(1)
        ahead_BL = ends_B1 - lengths_B.unsqueeze(1) + place_L
        back_BL = ends_B1 - 1 - place_L
        pooled = []
        for cell, token_BL in zip(self.cells, (ahead_BL, back_BL), strict=False):
            words_BLE = functional.embedding(token_BL.where(real_BL, 0), words_TE)
            # Under autocast cuDNN's cells would compute in float16, whatever format was asked for.
            with torch.autocast(words_BLE.device.type, enabled=False):
                states_BLH, _ = cell(words_BLE)
            pooled.append(self.pool(states_BLH, real_BL))
        return torch.cat(pooled, dim=1)


def _reordered(ids_T: Tensor, lengths_B: Tensor, order_B: Tensor) -> Tensor:
    """Give the tokens of the texts in another order of texts."""
    moved_B = lengths_B[order_B]
    shift_B = (lengths_B.cumsum(0) - lengths_B)[order_B] - (moved_B.cumsum(0) - moved_B)
    place_T = torch.arange(len(ids_T), device=ids_T.device)
    return ids_T[torch.repeat_interleave(shift_B, moved_B) + place_T]


def mean_pool(states_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Give the mean of the real states: (B, H)."""
    return (states_BLH * real_BL.unsqueeze(2)).sum(1) / real_BL.sum(1, keepdim=True)


def max_pool(states_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Give the largest real value of each dimension: (B, H)."""
    return states_BLH.masked_fill(~real_BL.unsqueeze(2), -torch.inf).amax(1)


def last_pool(states_BLH: Tensor, real_BL: Tensor) -> Tensor:
    """Give the state after the last real token: (B, H)."""
    last_B = real_BL.sum(1) - 1
    return states_BLH[torch.arange(len(last_B), device=last_B.device), last_B]


POOLINGS = {"mean": mean_pool, "max": max_pool, "last": last_pool}
LENGTH_GROUPS = 8


class Encoder(Protocol):
    """What a tower needs of an encoder."""

    width: int

    def __call__(self, ids_T: Tensor, lengths_B: Tensor) -> Tensor:
        """Give (B, width)."""


ENCODERS: dict[str, type[Average] | type[Recurrent]] = {
    "average": Average,
    "rnn": Recurrent,
    "gru": Recurrent,
    "lstm": Recurrent,
}


def build_encoder(config: Model, table_WE: np.ndarray, idf_W: np.ndarray) -> nn.Module:
    """Build the configured encoder on a table of word vectors."""
    kind = ENCODERS[config.encoder]
    return kind(config, torch.from_numpy(table_WE), torch.from_numpy(idf_W))
