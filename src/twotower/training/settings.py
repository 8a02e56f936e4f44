"""How to train, and where: what a training depends on besides its data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from twotower.config import Model, Negatives, Train


@dataclass(frozen=True)
class Settings:
    """Parameters, seed and device."""

    model: Model
    train: Train
    negatives: Negatives
    seed: int
    device: torch.device
    batch_tokens: int
    """Tokens encoded at a time where no gradient is wanted: bounds memory."""
