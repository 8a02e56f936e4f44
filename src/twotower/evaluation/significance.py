"""Is a difference between two systems more than chance?"""

from __future__ import annotations

import numpy as np

BLOCK_SIGNS = 10_000_000
"""Signs held at once: 80 MB as float64."""


def paired_randomisation(
    first_Q: np.ndarray, second_Q: np.ndarray, seed: int, rounds: int = 10_000
) -> float:
    """Give the two-sided p-value of mean(first) - mean(second) over the same queries.

    Fisher's paired randomisation test (Smucker et al. 2007): the signs of the per-query differences
    are flipped at random; p = (rounds at least as far from 0 + 1) / (rounds + 1).
    """
    difference_Q = (first_Q - second_Q).astype(np.float64)
    observed = abs(difference_Q.sum()) - 1e-9
    generator, extreme = np.random.default_rng(seed), 0
    block = max(1, BLOCK_SIGNS // len(difference_Q))
    for start in range(0, rounds, block):
        size = (min(block, rounds - start), len(difference_Q))
        signs = generator.integers(0, 2, size, dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ difference_Q) >= observed).sum())
    return (extreme + 1) / (rounds + 1)


def standard_error(values_Q: np.ndarray) -> float:
    """Give the standard error of the mean; 0 for a single query."""
    return float(values_Q.std(ddof=1) / np.sqrt(len(values_Q))) if len(values_Q) > 1 else 0.0
