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


def progress(total: int, unit: str, description: str, initial: int = 0) -> Any:
    """Give a tqdm bar; call .update(n) on it and use it as a context manager.

    What was there before (`initial`) counts as done, not as speed. Bytes ("B") are counted in
    thousands, as in the sizes that messages give: MB, not MiB.
    """
    if not sys.stderr.isatty():
        return _Unseen()
    from tqdm import tqdm

    return tqdm(
        total=total,
        unit=unit if unit == "B" else f" {unit}",
        unit_scale=True,
        desc=description,
        initial=initial,
        leave=False,
    )
