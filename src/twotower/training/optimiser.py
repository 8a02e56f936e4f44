"""The optimisers: Adam by rows for the table, Adam or AdamW for all else, one schedule for both.

The table's gradient has rows only for the words of the batch, and only those rows and their moments
are touched (torch's SparseAdam), so a step costs what its batch has, whatever the vocabulary.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from twotower.config import Train
from twotower.towers.model import TwoTowers
from twotower.towers.table import Table
from twotower.towers.weights import TokenWeights


class Optimiser:
    """Steps all weights of the towers, each kind at its rate."""

    def __init__(self, towers: TwoTowers, config: Train, steps: int) -> None:
        """steps: of the whole training, which the schedule is spread over."""
        self.config, self.steps = config, steps
        own, identities, gains, others = _by_kind(towers)
        self.weights = [*own, *identities, *gains, *others]
        dense = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
        decay = config.weight_decay if config.optimiser == "adamw" else 0.0
        rows = _groups(
            (own, config.table_learning_rate), (identities, config.identities_learning_rate)
        )
        rest = _groups((gains, config.weights_learning_rate), (others, config.learning_rate))
        self.parts: list[torch.optim.Optimizer] = []
        if rest:
            self.parts.append(dense(rest, lr=0.0, weight_decay=decay))
        if rows:
            self.parts.append(torch.optim.SparseAdam(rows, lr=1.0))

    def moving(self) -> set[int]:
        """Give the ids of the weights that a step may move."""
        return {
            id(each)
            for part in self.parts
            for group in part.param_groups
            for each in group["params"]
        }

    def step(self, number: int) -> dict[str, float]:
        """Take step `number`, counted from 0, with the gradients there are; they are then gone.

        Gives gradient_norm, before any clipping, and learning_rate.
        """
        gradients = [_values(weight) for weight in self.weights if weight.grad is not None]
        norm = torch.stack([each.norm() for each in gradients]).norm()
        if self.config.clip_norm:
            scale = (self.config.clip_norm / (norm + 1e-6)).clamp(max=1.0)
            for each in gradients:
                each.mul_(scale)
        share = schedule(number, self.steps, self.config)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["rate"] * share
            part.step()
            part.zero_grad(set_to_none=True)
        return {
            "gradient_norm": float(norm),
            "learning_rate": self.config.learning_rate * share,
        }


def _by_kind(towers: TwoTowers) -> list[list[Tensor]]:
    """Give the table's own parts, its identities, the token weights, and all else, each once."""
    tables = [module for module in towers.modules() if isinstance(module, Table)]
    weights = [module for module in towers.modules() if isinstance(module, TokenWeights)]
    kinds = [
        [table.own for table in tables],
        [table.identities for table in tables],
        [weigh.gains for weigh in weights],
    ]
    found: list[list[Tensor]] = [
        list({id(each): each for each in kind if each is not None}.values()) for kind in kinds
    ]
    named = {id(each) for kind in found for each in kind}
    return [*found, [each for each in towers.parameters() if id(each) not in named]]


def _groups(*kinds: tuple[list[Tensor], float]) -> list[dict[str, Any]]:
    """Give torch's groups of the kinds that there are and that move."""
    return [{"params": weights, "rate": rate} for weights, rate in kinds if weights and rate]


def _values(weight: Tensor) -> Tensor:
    """Give the numbers of a gradient, which may be sparse: in place, to be measured and scaled."""
    assert weight.grad is not None  # noqa: S101
    if not weight.grad.is_sparse:
        return weight.grad
    weight.grad = weight.grad.coalesce()
    return weight.grad._values()


def schedule(number: int, steps: int, config: Train) -> float:
    """Give the share of the rates at a step: a rise over the warm-up, then the decay."""
    rise = round(config.warmup * steps)
    if number < rise:
        return (number + 1) / rise
    gone = (number - rise) / max(steps - rise, 1)
    return {
        "none": 1.0,
        "linear": 1 - gone,
        "cosine": (1 + math.cos(math.pi * gone)) / 2,
    }[config.decay]
