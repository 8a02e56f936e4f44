"""What is watched while training, and when it is stopped.

A collapse maps every text to one direction: all cosines are 1, the margin loss stands exactly at
the margin for every negative, and a metric over tied scores means nothing. It ends without a model.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from twotower.config import Train
from twotower.errors import CollapseError, TrainingError
from twotower.towers.losses import not_negative

AT_MARGIN = 1e-3


@torch.no_grad()
def observe(
    loss: Tensor, scores_BB: Tensor, ignored_BB: Tensor, passages_BD: Tensor, config: Train
) -> dict[str, float]:
    """Measure one step.

    loss; positive_cosine and negative_cosine, the means of their pairs; in_batch_recall_at_1;
    off_diagonal_cosine, the mean cosine between different rows of the passages; for the margin
    loss, margin_distance = 1 - loss / (margin x negatives a query), 0 where all scores are equal.
    """
    size = len(scores_BB)
    negative_BB = ~not_negative(ignored_BB)
    negatives = max(int(negative_BB.sum()), 1)
    positive_B = scores_BB.diagonal()
    rival_B = scores_BB.masked_fill(~negative_BB, -torch.inf).amax(1)
    # The sum over all pairs of rows is the squared length of their sum; the diagonal gives `size`.
    pair_sum = passages_BD.sum(0).square().sum() - passages_BD.square().sum()
    seen = {
        "loss": float(loss),
        "positive_cosine": float(positive_B.mean()),
        "negative_cosine": float((scores_BB * negative_BB).sum() / negatives),
        "in_batch_recall_at_1": float((positive_B > rival_B).float().mean()),
        "off_diagonal_cosine": float(pair_sum / max(size * (size - 1), 1)),
    }
    if config.loss == "margin":
        seen["margin_distance"] = 1 - seen["loss"] / (config.margin * negatives / size)
    return seen


def refuse_not_finite(loss: float, step: int) -> None:
    """Stop at a loss that is no number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"step {step}: the loss is {loss}; lower train.learning_rate or use float32"
        )


def refuse_collapse(seen: dict[str, float], epoch: int, config: Train) -> None:
    """Stop if the epoch's means say that all texts have one direction."""
    cosine, distance = seen["off_diagonal_cosine"], seen.get("margin_distance", 1.0)
    if cosine <= config.collapse_cosine and abs(distance) > AT_MARGIN:
        return
    raise CollapseError(
        f"epoch {epoch}: collapsed: different passages of a batch have a mean cosine of "
        f"{cosine:.4f} (train.collapse_cosine is {config.collapse_cosine:g}), and the loss is "
        f"{distance:.4f} of its range away from the margin. No model is written. "
        "Lower train.learning_rate, or train with "
        "another loss, a larger batch or more random dimensions (model.random_dims)"
    )
