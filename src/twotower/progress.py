"""The one way to show progress: a bar with a rate on the terminal, nothing when piped."""

from __future__ import annotations

import sys
from typing import Any


def progress(total: int, unit: str, description: str) -> Any:
    """Give a tqdm bar; call .update(n) on it and use it as a context manager."""
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=f" {unit}",
        unit_scale=True,
        desc=description,
        disable=not sys.stderr.isatty(),
        leave=False,
    )
