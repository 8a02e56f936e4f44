"""Which device and number format the towers run in, with the reason printed once."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

import torch

from twotower.errors import ConfigError

log = logging.getLogger(__name__)


def choose(wanted: str) -> torch.device:
    """Give the device for `auto`, `cpu`, `cuda` or `mps`; raises ConfigError if it is not there."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    name = next(name for name, here in present.items() if here) if wanted == "auto" else wanted
    if not present[name]:
        raise ConfigError(f"device: {wanted} was asked for but is not available here; use auto")
    reason = "chosen by device: auto" if wanted == "auto" else "asked for"
    detail = (
        torch.cuda.get_device_name() if name == "cuda" else f"{torch.get_num_threads()} threads"
    )
    log.info("device %s (%s, %s)", name, reason, detail)
    return torch.device(name)


def seed_everything(seed: int, device: torch.device) -> None:
    """Seed torch and ask for algorithms that repeat; on CUDA those that cannot only warn."""
    torch.manual_seed(seed)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Filling fresh memory guards against reading it unset; it costs a third of an LSTM's step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")


def autocast(precision: str, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Give the number format of matrix products: `auto` is bfloat16 on CUDA, else float32.

    Sums of word vectors, recurrent cells and scores stay in float32; see `towers.encoders`.
    """
    if precision == "bfloat16" or (precision == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
