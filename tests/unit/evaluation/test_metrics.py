"""Every metric on arrays small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from twotower.evaluation import metrics

RANKS = 12


def found_at(*ranks: int) -> np.ndarray:
    """One query's row: relevant at the given ranks, counted from 1."""
    row = np.zeros((1, RANKS), bool)
    row[0, [rank - 1 for rank in ranks]] = True
    return row


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [((1,), 1.0), ((2, 5), 1 / 2), ((10,), 1 / 10), ((11,), 0.0), ((), 0.0)],
)
def test_reciprocal_rank_is_of_the_first_relevant_within_ten(
    ranks: tuple[int, ...], expected: float
) -> None:
    assert metrics.reciprocal_rank(found_at(*ranks), 10).tolist() == [expected]


@pytest.mark.parametrize(
    ("ranks", "k", "expected"),
    [((2, 5), 10, 2 / 4), ((2, 5), 4, 1 / 4), ((11,), 10, 0.0), ((11,), 11, 1 / 4), ((), 10, 0.0)],
)
def test_recall_divides_by_all_relevant(ranks: tuple[int, ...], k: int, expected: float) -> None:
    assert metrics.recall(found_at(*ranks), np.array([4]), k).tolist() == [expected]


def test_recall_of_a_query_without_relevant_passages_is_zero() -> None:
    assert metrics.recall(found_at(), np.array([0]), 10).tolist() == [0]


@pytest.mark.parametrize(("ranks", "expected"), [((2, 5), 1.0), ((10,), 1.0), ((11,), 0.0)])
def test_hit_counts_a_query_once(ranks: tuple[int, ...], expected: float) -> None:
    assert metrics.hit(found_at(*ranks), 10).tolist() == [expected]


def test_precision_divides_by_k_even_where_less_was_retrieved() -> None:
    assert metrics.precision(found_at(2, 5, 11), 10).tolist() == [2 / 10]
    assert metrics.precision(found_at(1, 2)[:, :3], 10).tolist() == [2 / 10]


@pytest.mark.parametrize(
    ("ranks", "relevant", "expected"),
    [
        ((1, 3), 2, (1 / 1 + 2 / 3) / 2),
        ((1, 3), 4, (1 / 1 + 2 / 3) / 4),
        ((11,), 1, 1 / 11),
        ((), 3, 0.0),
        ((), 0, 0.0),
    ],
)
def test_average_precision(ranks: tuple[int, ...], relevant: int, expected: float) -> None:
    found = metrics.average_precision(found_at(*ranks), np.array([relevant]))
    assert found.tolist() == pytest.approx([expected])


def test_ndcg_has_linear_gains_and_the_ideal_of_all_judged() -> None:
    # DCG = 2/log2(3) + 1/log2(4) = 1.26186 + 0.5; ideal 3/1 + 2/log2(3) + 1/log2(4) = 4.76186
    found = metrics.ndcg(np.array([[0, 2, 1]]), np.array([[2, 0, 1, 3]]), 10)
    assert found.tolist() == pytest.approx([1.7618595 / 4.7618595])


def test_ndcg_cuts_both_rankings_at_k() -> None:
    # k = 2: DCG = 0/1 + 1/log2(3); ideal 1/1 + 1/log2(3), though three are relevant
    found = metrics.ndcg(np.array([[0, 1, 1]]), np.array([[1, 1, 1]]), 2)
    assert found.tolist() == pytest.approx([0.6309298 / 1.6309298])


def test_ndcg_takes_a_negative_grade_for_none() -> None:
    found = metrics.ndcg(np.array([[-2, 1]]), np.array([[1, -2]]), 10)
    assert found.tolist() == pytest.approx([0.6309298])


def test_ndcg_of_a_query_without_gains_is_zero() -> None:
    assert metrics.ndcg(np.zeros((1, 3), int), np.zeros((1, 2), int), 10).tolist() == [0]


def test_every_query_has_a_value_of_its_own() -> None:
    both = np.concatenate([found_at(2, 5), found_at(11), found_at()])
    assert metrics.reciprocal_rank(both, 10).tolist() == [0.5, 0, 0]
    assert metrics.recall(both, np.array([2, 1, 3]), 11).tolist() == [1, 1, 0]
    assert metrics.hit(both, 10).tolist() == [1, 0, 0]
