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
COSINES = {"passages": "off_diagonal_cosine", "queries": "query_off_diagonal_cosine"}


@torch.no_grad()
def observe(
    loss: Tensor,
    scores_BB: Tensor,
    ignored_BB: Tensor,
    queries_BD: Tensor,
    passages_BD: Tensor,
    *,
    config: Train,
) -> dict[str, float]:
    """Measure one step.

    loss; positive_cosine and negative_cosine, the means of their pairs; in_batch_recall_at_1;
    off_diagonal_cosine and query_off_diagonal_cosine, the mean cosine between different rows of the
    passages and of the queries; for the margin loss, margin_distance = 1 - loss / (margin x
    negatives a query), 0 where all scores are equal.
    """
    size = len(scores_BB)
    negative_BB = ~not_negative(ignored_BB)
    negatives = max(int(negative_BB.sum()), 1)
    positive_B = scores_BB.diagonal()
    rival_B = scores_BB.masked_fill(~negative_BB, -torch.inf).amax(1)
    seen = {
        "loss": float(loss),
        "positive_cosine": float(positive_B.mean()),
        "negative_cosine": float((scores_BB * negative_BB).sum() / negatives),
        "in_batch_recall_at_1": float((positive_B > rival_B).float().mean()),
        "off_diagonal_cosine": _off_diagonal(passages_BD),
        "query_off_diagonal_cosine": _off_diagonal(queries_BD),
    }
    if config.loss == "margin":
        seen["margin_distance"] = 1 - seen["loss"] / (config.margin * negatives / size)
    return seen


def _off_diagonal(vectors_BD: Tensor) -> float:
    """Give the mean cosine between different rows; the sum over all pairs is that of the sums."""
    size = len(vectors_BD)
    pair_sum = vectors_BD.sum(0).square().sum() - vectors_BD.square().sum()
    return float(pair_sum / max(size * (size - 1), 1))


def refuse_not_finite(loss: float, step: int) -> None:
    """Stop at a loss that is no number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"step {step}: the loss is {loss}; lower train.learning_rate or use float32"
        )


def refuse_collapse(seen: dict[str, float], epoch: int, config: Train) -> None:
    """Stop if the epoch's means say that all queries or all passages have one direction."""
    found = [
        f"different {texts} of a batch have a mean cosine of {seen[name]:.4f}"
        for texts, name in COSINES.items()
        if seen[name] > config.collapse_cosine
    ]
    if abs(seen.get("margin_distance", 1.0)) < AT_MARGIN:
        found.append(f"the loss stands at the margin, {config.margin:g} a negative")
    if found:
        raise CollapseError(
            f"epoch {epoch}: collapsed: {'; '.join(found)} (train.collapse_cosine is "
            f"{config.collapse_cosine:g}). No model is written. Lower train.learning_rate, or take "
            "another train.loss, a larger train.batch_size or more model.random_dims"
        )
