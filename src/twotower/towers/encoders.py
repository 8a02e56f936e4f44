"""Encoders: from token ids to one vector a text. Padding can never change a vector.

A batch is ragged: `ids_T` holds all its tokens, one text after the other, `lengths_B` how many each
has (at least one). A new encoder is one class and one line in ENCODERS.

B texts, T tokens of all of them, L tokens of the longest, H hidden width, D output width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from twotower.config import Model
from twotower.towers.pooling import POOLINGS
from twotower.towers.table import Table
from twotower.towers.weights import TokenWeights

LENGTH_GROUPS = 8


class Encoder(Protocol):
    """What a tower needs of an encoder."""

    width: int
    """D, numbers a vector"""

    def __call__(self, ids_T: Tensor, lengths_B: Tensor, weigh: TokenWeights) -> Tensor:
        """Give (B, D)."""


class Average(nn.Module):
    """The weighted mean of the word vectors; a cosine ignores its length, so it is left a sum."""

    def __init__(self, config: Model, table: Table) -> None:
        """Divide by the number of tokens only where length matters."""
        super().__init__()
        self.table, self.width = table, table.width
        self.divide = config.similarity != "cosine"

    def forward(self, ids_T: Tensor, lengths_B: Tensor, weigh: TokenWeights) -> Tensor:
        """Give (B, D)."""
        summed_BD = self.table.sums(ids_T, lengths_B, weigh(ids_T, lengths_B))
        return summed_BD / lengths_B.unsqueeze(1) if self.divide else summed_BD


class Recurrent(nn.Module):
    """An RNN, GRU or LSTM, its states pooled over the text's own tokens.

    Texts are sorted by length and read in groups, so that little is padded. Padding stands on the
    right of both the text and the reversed text, where no state before it can see it, and pooling
    leaves it out. Cells of one direction and layer each, because torch's packed sequences are ten
    times slower to train on a CPU: each step's backward pass touches the whole batch.
    """

    def __init__(self, config: Model, table: Table, cell: Callable[..., nn.RNNBase]) -> None:
        """The cells' weights come from torch's seeded generator."""
        super().__init__()
        self.table, self.own_alone = table, config.reads == "pretrained"
        reads = table.own_width if self.own_alone else table.width
        parts = [config.vector_scale, 0.0 if self.own_alone or not config.random_dims else 1.0]
        self.scale = math.sqrt(reads) / math.hypot(*parts)
        """Words' vectors times this are about 1 a dimension, as cells expect."""
        directions = 2 if config.bidirectional else 1
        self.width = config.hidden * directions
        self.layers = nn.ModuleList(
            nn.ModuleList(_cell(cell, width, config.hidden) for _ in range(directions))
            for width in [reads, *[self.width] * (config.layers - 1)]
        )
        self.dropout = nn.Dropout(config.dropout)
        self.pool = POOLINGS[config.pooling](self.width)
        self.last_alone = config.pooling == "last"

    def forward(
        self, ids_T: Tensor, lengths_B: Tensor, weigh: TokenWeights | None = None
    ) -> Tensor:
        """Give (B, D): the pooled states, the directions side by side. It weighs words itself."""
        del weigh
        order_B = lengths_B.argsort(stable=True)
        sorted_B = lengths_B[order_B]
        sorted_T = _reordered(ids_T, lengths_B, order_B)
        look_up = self.table.look_up_own if self.own_alone else self.table.look_up
        words_TE = look_up(sorted_T) * self.scale
        lengths = sorted_B.chunk(min(LENGTH_GROUPS, len(order_B)))
        # One split, one look-up: each more would cost a gradient of the whole batch.
        words = words_TE.split([int(group_B.sum()) for group_B in lengths])
        pooled_BD = torch.cat([self._read(*group) for group in zip(words, lengths, strict=True)])
        return pooled_BD[order_B.argsort()]

    def _read(self, words_TE: Tensor, lengths_B: Tensor) -> Tensor:
        """Read texts of similar length: (B, D)."""
        place_L = torch.arange(int(lengths_B.max()), device=lengths_B.device)
        real_BL = place_L < lengths_B.unsqueeze(1)
        first_B1 = (lengths_B.cumsum(0) - lengths_B).unsqueeze(1)
        states_BLH = functional.embedding((first_B1 + place_L).where(real_BL, 0), words_TE)
        # The token that stands as far from the end as each from the start, and back again.
        mirror_BL = (lengths_B.unsqueeze(1) - 1 - place_L).where(real_BL, place_L)
        for depth, layer in enumerate(self.layers):
            cells = list(layer.children())
            states_BLH = self.dropout(states_BLH) if depth else states_BLH
            read = [_run(cells[0], states_BLH)]
            if len(cells) > 1:
                back_BLH = _run(cells[1], _mirrored(states_BLH, mirror_BL))
                # The last state of a direction is the one that has read all: it stays in its order.
                stays = self.last_alone and depth + 1 == len(self.layers)
                read.append(back_BLH if stays else _mirrored(back_BLH, mirror_BL))
            states_BLH = torch.cat(read, dim=2)
        pooled: Tensor = self.pool(states_BLH, real_BL)
        return pooled


def _cell(kind: Callable[..., nn.RNNBase], width: int, hidden: int) -> nn.RNNBase:
    return kind(width, hidden, batch_first=True)


def _run(cell: nn.Module, states_BLH: Tensor) -> Tensor:
    # Under autocast cuDNN's cells would compute in float16, whatever format was asked for.
    with torch.autocast(states_BLH.device.type, enabled=False):
        output: Tensor = cell(states_BLH)[0]
    return output


def _mirrored(states_BLH: Tensor, mirror_BL: Tensor) -> Tensor:
    return states_BLH.gather(1, mirror_BL.unsqueeze(2).expand_as(states_BLH))


def _reordered(ids_T: Tensor, lengths_B: Tensor, order_B: Tensor) -> Tensor:
    """Give the tokens of the texts in another order of texts."""
    moved_B = lengths_B[order_B]
    shift_B = (lengths_B.cumsum(0) - lengths_B)[order_B] - (moved_B.cumsum(0) - moved_B)
    place_T = torch.arange(len(ids_T), device=ids_T.device)
    return ids_T[torch.repeat_interleave(shift_B, moved_B) + place_T]


class Residual(nn.Module):
    """The weighted average, and what another encoder adds to it: nothing at the start."""

    def __init__(self, average: Average, change: Recurrent) -> None:
        """The change goes through a linear layer of zeros, so the towers start as the average."""
        super().__init__()
        self.average, self.change, self.width = average, change, average.width
        self.output = nn.Linear(change.width, average.width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(self, ids_T: Tensor, lengths_B: Tensor, weigh: TokenWeights) -> Tensor:
        """Give (B, D). The change is in lengths of the average, or it would vanish beside it."""
        average_BD = self.average(ids_T, lengths_B, weigh)
        change_BD = self.output(self.change(ids_T, lengths_B))
        return average_BD + change_BD * average_BD.detach().norm(dim=1, keepdim=True)


CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
ENCODERS = ("average", *CELLS)


def build_encoder(name: str, config: Model, table: Table) -> nn.Module:
    """Build one of ENCODERS on a table."""
    if name == "average":
        return Average(config, table)
    change = Recurrent(config, table, CELLS[name])
    return Residual(Average(config, table), change) if config.residual else change
