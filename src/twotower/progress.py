"""The one way to show progress: a bar with a rate on the terminal, nothing when piped."""

from __future__ import annotations

import contextlib
import sys
from typing import Any


class _Unseen(contextlib.AbstractContextManager["_Unseen"]):
    """A bar that nobody sees."""

    def __exit__(self, *_error: object) -> None:
        """End it."""

    def update(self, done: int) -> None:
        """Take note of nothing."""


def progress(total: int, unit: str, description: str) -> Any:
    """Give a tqdm bar; call .update(n) on it and use it as a context manager."""
    if not sys.stderr.isatty():
        return _Unseen()
    from tqdm import tqdm

    return tqdm(total=total, unit=f" {unit}", unit_scale=True, desc=description, leave=False)
