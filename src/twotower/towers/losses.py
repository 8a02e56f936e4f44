"""Losses over in-batch negatives.

Each takes the cosines of B queries with the B passages of their batch, where passage i is the
positive of query i, and a mask of pairs that must not count as negatives (false negatives).

    loss = LOSSES[config.loss](scores_BB, ignored_BB, config)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from twotower.config import Train


def margin_loss(scores_BB: Tensor, ignored_BB: Tensor, margin: float) -> Tensor:
    """Give the mean over queries of the sum of max(0, margin - s(q, p+) + s(q, p-)).

    The triplet loss over all in-batch negatives, on cosines (FaceNet's, Schroff et al. 2015, with
    every negative instead of one). Only negatives within the margin pull, so the sum over them is
    not diluted by the many easy ones.
    """
    positive_B1 = scores_BB.diagonal().unsqueeze(1)
    violation_BB = functional.relu(margin - positive_B1 + scores_BB)
    return violation_BB.masked_fill(not_negative(ignored_BB), 0).sum(1).mean()


def softmax_loss(scores_BB: Tensor, ignored_BB: Tensor, temperature: float) -> Tensor:
    """Give the cross-entropy of the positive among the batch's passages, cosines / temperature.

    InfoNCE (van den Oord et al. 2018) with in-batch negatives, as in DPR.
    """
    target_B = torch.arange(len(scores_BB), device=scores_BB.device)
    logits_BB = (scores_BB / temperature).masked_fill(ignored_BB, -torch.inf)
    return functional.cross_entropy(logits_BB, target_B)


def not_negative(ignored_BB: Tensor) -> Tensor:
    """Give the mask of pairs that are no negatives: ignored ones and the positives themselves."""
    return ignored_BB | torch.eye(len(ignored_BB), dtype=torch.bool, device=ignored_BB.device)


LOSSES: dict[str, Callable[[Tensor, Tensor, Train], Tensor]] = {
    "margin": lambda scores, ignored, config: margin_loss(scores, ignored, config.margin),
    "softmax": lambda scores, ignored, config: softmax_loss(scores, ignored, config.temperature),
}
