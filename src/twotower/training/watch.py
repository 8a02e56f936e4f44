"""What is watched while training, and when it is stopped.

A collapse maps every text to one direction: all scores are equal, the triplet loss stands exactly
at the margin for every negative, a metric over tied scores means nothing. It ends without a model.

B pairs a batch, N passages of it, D width of a vector.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from twotower.config import Train
from twotower.errors import CollapseError, TrainingError
from twotower.towers.losses import batch_loss, negatives

AT_MARGIN = 1e-3
COSINES = {"passages": "off_diagonal_cosine", "queries": "query_off_diagonal_cosine"}


@torch.no_grad()
def observe(
    loss: Tensor, scores_BN: Tensor, ignored_BN: Tensor, *, config: Train
) -> dict[str, float]:
    """Measure a step's scores.

    loss; positive_score and negative_score, the means of their pairs, and gap, their difference;
    in_batch_recall_at_1 and _5, positives that fewer than 1 or 5 negatives reach; for the triplet
    loss margin_distance = 1 - loss / the loss of equal scores, which is 0 in a collapse.
    """
    negative_BN = negatives(ignored_BN)
    positive_B = scores_BN.diagonal()
    reached_B = ((scores_BN >= positive_B.unsqueeze(1)) & negative_BN).sum(1)
    positive = float(positive_B.mean())
    negative = float((scores_BN * negative_BN).sum() / negative_BN.sum().clamp_min(1))
    seen = {
        "loss": float(loss),
        "positive_score": positive,
        "negative_score": negative,
        "gap": positive - negative,
        "in_batch_recall_at_1": float((reached_B < 1).float().mean()),
        "in_batch_recall_at_5": float((reached_B < 5).float().mean()),
    }
    if config.loss == "triplet":
        collapsed = torch.zeros_like(scores_BN)
        at_margin = float(batch_loss(collapsed, ignored_BN, config, torch.Generator()))
        seen["margin_distance"] = 1 - seen["loss"] / at_margin if at_margin else 1.0
    return seen


@torch.no_grad()
def spread(queries_BD: Tensor, passages_ND: Tensor) -> dict[str, float]:
    """Give the mean cosine between different rows of the passages and of the queries."""
    return dict(zip(COSINES.values(), map(_off_diagonal, (passages_ND, queries_BD)), strict=True))


def _off_diagonal(vectors_BD: Tensor) -> float:
    """Give the mean cosine between different rows; the sum over all pairs is that of the sums."""
    unit_BD, size = functional.normalize(vectors_BD, dim=1), len(vectors_BD)
    pair_sum = unit_BD.sum(0).square().sum() - unit_BD.square().sum()
    return float(pair_sum / max(size * (size - 1), 1))


def refuse_not_finite(loss: float, step: int) -> None:
    """Stop at a loss that is no number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"step {step}: the loss is {loss}; lower the learning rates or use float32"
        )


def refuse_collapse(seen: dict[str, float], epoch: int, config: Train) -> None:
    """Stop if the epoch's means say that all queries or all passages have one direction."""
    found = [
        f"different {texts} of a batch have a mean cosine of {seen[name]:.4f}"
        for texts, name in COSINES.items()
        if seen[name] > config.collapse_cosine
    ]
    if abs(seen.get("margin_distance", 1.0)) < AT_MARGIN and abs(seen["gap"]) < config.margin / 100:
        found.append(f"the loss stands at the margin, {config.margin:g} a negative")
    if found:
        raise CollapseError(
            f"epoch {epoch}: collapsed: {'; '.join(found)} (train.collapse_cosine is "
            f"{config.collapse_cosine:g}). No model is written. Lower the learning rates, or take "
            "another train.loss, a larger train.batch_size or more model.random_dims"
        )
