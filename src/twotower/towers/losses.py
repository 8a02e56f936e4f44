"""Losses over a batch's passages.

Each takes the scores of B queries with N passages, of which passage i is the positive of query i
and those from B on are nobody's, and a mask of pairs that must not count as negatives.

    loss = batch_loss(scores_BN, ignored_BN, config, generator)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from twotower.config import Train


def batch_loss(
    scores_BN: Tensor, ignored_BN: Tensor, config: Train, generator: torch.Generator
) -> Tensor:
    """Give the configured loss: of queries choosing passages and, if asked, the other way too.

    generator: draws the negatives of hardness `random`, on the CPU, for every device alike.
    """
    loss = _one_direction(scores_BN, ignored_BN, config, generator)
    if not config.both_directions:
        return loss
    size = len(scores_BN)
    other = (scores_BN[:, :size].T, ignored_BN[:, :size].T)
    return (loss + _one_direction(*other, config, generator)) / 2


def _one_direction(
    scores_BN: Tensor, ignored_BN: Tensor, config: Train, generator: torch.Generator
) -> Tensor:
    if config.loss == "softmax":
        return softmax_loss(scores_BN, ignored_BN, config.temperature, config.margin)
    chosen_BN = HARDNESS[config.hardness](scores_BN, negatives(ignored_BN), generator)
    return triplet_loss(scores_BN, chosen_BN, config.margin)


def negatives(ignored_BN: Tensor) -> Tensor:
    """Give the mask of a query's negatives: neither its positive nor ignored."""
    return ~(ignored_BN | torch.eye(*ignored_BN.shape, dtype=torch.bool, device=ignored_BN.device))


def triplet_loss(scores_BN: Tensor, chosen_BN: Tensor, margin: float) -> Tensor:
    """Give the mean over queries of the sum over chosen negatives of max(0, margin - s+ + s-).

    FaceNet's (Schroff et al. 2015) on scores. With all negatives it is summed and not averaged:
    only those within the margin pull, and the many easy ones must not dilute them.
    """
    positive_B1 = scores_BN.diagonal().unsqueeze(1)
    violation_BN = functional.relu(margin - positive_B1 + scores_BN)
    return violation_BN.masked_fill(~chosen_BN, 0).sum(1).mean()


def softmax_loss(
    scores_BN: Tensor, ignored_BN: Tensor, temperature: float, margin: float
) -> Tensor:
    """Give the cross-entropy of the positive among the batch's passages.

    InfoNCE (van den Oord et al. 2018) with in-batch negatives, as in DPR; the positive's score is
    lowered by an additive margin (Yang et al. 2019), then all are divided by the temperature.
    """
    target_B = torch.arange(len(scores_BN), device=scores_BN.device)
    lowered_BN = scores_BN - margin * torch.eye(*scores_BN.shape, device=scores_BN.device)
    logits_BN = (lowered_BN / temperature).masked_fill(ignored_BN, -torch.inf)
    return functional.cross_entropy(logits_BN, target_B)


def all_negatives(scores_BN: Tensor, negative_BN: Tensor, generator: torch.Generator) -> Tensor:
    """Choose every negative."""
    del scores_BN, generator
    return negative_BN


def random_negative(scores_BN: Tensor, negative_BN: Tensor, generator: torch.Generator) -> Tensor:
    """Choose one negative a query, each as likely."""
    del scores_BN
    drawn_BN = torch.rand(negative_BN.shape, generator=generator).to(negative_BN.device)
    return _highest(drawn_BN, negative_BN)


def hardest_negative(scores_BN: Tensor, negative_BN: Tensor, generator: torch.Generator) -> Tensor:
    """Choose each query's negative with the highest score."""
    del generator
    return _highest(scores_BN.detach(), negative_BN)


def semi_hard_negative(
    scores_BN: Tensor, negative_BN: Tensor, generator: torch.Generator
) -> Tensor:
    """Choose the highest of the negatives below the positive; where none is, the lowest of all.

    FaceNet's, which says that the hardest ones lead to a collapse early on.
    """
    del generator
    scores_BN = scores_BN.detach()
    below_BN = negative_BN & (scores_BN < scores_BN.diagonal().unsqueeze(1))
    lowest_BN = _highest(-scores_BN, negative_BN)
    return torch.where(below_BN.any(1, keepdim=True), _highest(scores_BN, below_BN), lowest_BN)


def _highest(values_BN: Tensor, allowed_BN: Tensor) -> Tensor:
    """Mark the highest allowed value of each row; none where none is allowed."""
    best_B = values_BN.masked_fill(~allowed_BN, -torch.inf).argmax(1)
    return functional.one_hot(best_B, values_BN.shape[1]).bool() & allowed_BN


HARDNESS = {
    "all": all_negatives,
    "random": random_negative,
    "hardest": hardest_negative,
    "semi-hard": semi_hard_negative,
}
"""How triplets are made: which of a query's negatives count."""
