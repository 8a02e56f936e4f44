"""Towers whose every weight has moved, as after training, and what they make of a few texts."""

from __future__ import annotations

import tiny
import torch
from torch import Tensor

from twotower.towers.encode import to_tensors
from twotower.towers.model import TwoTowers

TEXTS = to_tensors(tiny.random_store(7, seed=0), torch.device("cpu"))


def moved(towers: TwoTowers) -> TwoTowers:
    """Change every weight in another way, <pad>'s row too: nothing is equal that is not shared."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in towers.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.3)
    return towers.eval()


def encoded(towers: TwoTowers) -> tuple[Tensor, Tensor]:
    """Encode TEXTS as queries and as passages."""
    with torch.no_grad():
        return towers.queries(*TEXTS), towers.passages(*TEXTS)
