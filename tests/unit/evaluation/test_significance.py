"""The randomisation test against every possible sign flip, and the standard error by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from twotower.evaluation import significance
from twotower.evaluation.significance import paired_randomisation, standard_error

ROUNDS = 10_000


def exhaustive(first: np.ndarray, second: np.ndarray) -> float:
    """The p-value over all sign flips of the differences."""
    differences = first - second
    observed = abs(differences.sum())
    sums = [
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    return sum(each >= observed - 1e-9 for each in sums) / len(sums)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("queries", [3, 8, 11])
def test_p_is_that_of_all_sign_flips(seed: int, queries: int) -> None:
    generator = np.random.default_rng(seed)
    ranks = generator.integers(1, 6, (2, queries))  # reciprocal ranks, so that many sums tie
    first, second = 1 / ranks
    expected = exhaustive(first, second)
    error = np.sqrt(expected * (1 - expected) / ROUNDS)
    found = paired_randomisation(first, second, seed, ROUNDS)
    assert found == pytest.approx(expected, abs=4 * error + 2 / ROUNDS)


def test_identical_runs_do_not_differ() -> None:
    values = np.array([0.1, 0.5, 1.0, 0.0])
    assert paired_randomisation(values, values, seed=1) == 1


def test_a_clear_difference_has_the_smallest_p() -> None:
    values = np.linspace(0, 0.5, 40)
    assert paired_randomisation(values + 0.1, values, seed=1) == 1 / (ROUNDS + 1)


def test_one_query_can_show_nothing() -> None:
    assert paired_randomisation(np.array([1.0]), np.array([0.0]), seed=1) == 1


def test_p_is_two_sided_and_seeded() -> None:
    first, second = np.random.default_rng(2).random((2, 30))
    p = paired_randomisation(first, second, seed=5)
    assert 0.01 < p < 1
    assert paired_randomisation(second, first, seed=5) == p
    assert paired_randomisation(first, second, seed=5) == p
    assert paired_randomisation(first, second, seed=6) != p


def test_blocks_cover_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "BLOCK_SIGNS", 7)  # one round a block, and one query more
    first = np.array([1.0] * 8)
    # Both ways of agreeing signs are as far: p = 2 / 2^8 = .0078, seen (p x 999 + 1) / 1000.
    p = paired_randomisation(first, np.zeros(8), seed=0, rounds=999)
    assert p == pytest.approx(2 / 2**8, abs=0.012)
    assert p * 1000 == pytest.approx(round(p * 1000))
    assert paired_randomisation(first, first, seed=0, rounds=999) == 1


def test_standard_error_by_hand() -> None:
    # mean .5; squared deviations .25, 0, .25, 0; sd = sqrt(.5 / 3); divided by sqrt(4)
    assert standard_error(np.array([0, 0.5, 1, 0.5])) == pytest.approx(0.2041241)


def test_standard_error_of_a_single_query_is_zero() -> None:
    assert standard_error(np.array([0.7])) == 0
