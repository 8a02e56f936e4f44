"""From runs and qrels to figures, on cases worked out by hand."""

from __future__ import annotations

import polars as pl
import pytest

from twotower.errors import DataError
from twotower.evaluation.judge import METRICS, Judged, judge, recall_curve, relevant_from, score
from twotower.retrieval.runs import in_order

QIDS = pl.Series("qid", [30, 10, 20])


def qrels(*rows: tuple[int, int, int]) -> pl.DataFrame:
    schema = {"qid": pl.Int64, "pid": pl.Int64, "grade": pl.Int32}
    return pl.DataFrame(rows, schema, orient="row")


def run(*rows: tuple[int, int, float]) -> pl.DataFrame:
    schema = {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}
    return in_order(pl.DataFrame(rows, schema, orient="row"), QIDS)


@pytest.fixture
def worked() -> Judged:
    """Query 30 has two positives and an exact tie, 10 an unjudged passage first, 20 no results."""
    retrieved = run(
        *[(30, 9, 0.5), (30, 10, 0.5), (30, 8, 0.4)],
        *[(10, 77, 0.9), (10, 1, 0.8), (10, 2, 0.7)],
    )
    reference = qrels((30, 10, 1), (30, 8, 1), (30, 9, 0), (10, 2, 1), (20, 5, 1))
    return judge(retrieved, reference, QIDS, relevant_from=1)


def test_grades_stand_at_their_ranks(worked: Judged) -> None:
    # The tie of 9 and 10 goes to "9": texts, descending.
    assert worked.grades_QK.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert worked.relevant_Q.tolist() == [2, 1, 1]


def test_scores_of_the_worked_case(worked: Judged) -> None:
    scores = {name: values.tolist() for name, values in score(worked, 1000).items()}
    assert scores["mrr_at_10"] == pytest.approx([1 / 2, 1 / 3, 0])
    assert scores["recall_at_10"] == [1, 1, 0]
    assert scores["hit_at_10"] == [1, 1, 0]
    assert scores["precision_at_10"] == [0.2, 0.1, 0]
    assert scores["map"] == pytest.approx([(1 / 2 + 2 / 3) / 2, 1 / 3, 0])
    # (1/log2(3) + 1/log2(4)) / (1 + 1/log2(3)); 1/log2(4)
    assert scores["ndcg_at_10"] == pytest.approx([1.1309298 / 1.6309298, 0.5, 0])


def test_a_run_that_found_nothing_scores_zero() -> None:
    reference = qrels((30, 1, 1), (10, 1, 1), (20, 1, 1))
    nothing = judge(run(), reference, QIDS, relevant_from=1)
    scores = {name: values.tolist() for name, values in score(nothing, 1000).items()}
    assert scores == {name: [0, 0, 0] for name in METRICS}


def test_queries_outside_the_split_change_nothing(worked: Judged) -> None:
    qids = QIDS.head(1)
    retrieved = run((30, 9, 0.5), (30, 10, 0.5), (30, 8, 0.4), (10, 1, 0.9), (10, 2, 0.8))
    reference = qrels((30, 10, 1), (30, 8, 1), (10, 2, 3))
    alone = judge(retrieved, reference, qids, relevant_from=1)
    assert alone.grades_QK.tolist() == [[0, 1, 1]]
    assert alone.relevant_Q.tolist() == worked.relevant_Q[:1].tolist()


def test_grades_count_from_the_threshold() -> None:
    reference = qrels((30, 1, 1), (30, 2, 2), (10, 1, 3), (20, 1, 1))
    retrieved = run((30, 1, 0.9), (30, 2, 0.8), (10, 1, 0.9), (20, 1, 0.9))
    seen = judge(retrieved, reference, QIDS, relevant_from=2)
    assert seen.relevant_Q.tolist() == [1, 1, 0]
    assert score(seen, 10)["mrr_at_10"].tolist() == [1 / 2, 1, 0]
    # nDCG takes all grades: (1 + 2/log2(3)) / (2 + 1/log2(3)), and a grade of 1 is a gain
    assert score(seen, 10)["ndcg_at_10"].tolist() == pytest.approx([2.2618595 / 2.6309298, 1, 1])


def test_a_binary_split_counts_grade_one() -> None:
    reference = qrels((30, 2, 1), (10, 1, 1), (20, 1, 1))
    seen = judge(run((30, 1, 0.9), (30, 2, 0.8)), reference, QIDS, relevant_from=1)
    assert score(seen, 10)["mrr_at_10"].tolist() == [1 / 2, 0, 0]


@pytest.mark.parametrize("others", [[], [(10, 5, 0)], [(10, 5, -1)]])
def test_a_query_without_relevant_passages_is_an_error(others: list[tuple[int, int, int]]) -> None:
    reference = qrels((30, 2, 1), (20, 1, 1), *others)
    with pytest.raises(DataError, match=r"1 of 3 queries .* the first is qid 10"):
        judge(run((30, 2, 0.9)), reference, QIDS, relevant_from=1)


def test_no_grade_is_relevant() -> None:
    reference = qrels((30, 2, 1), (10, 1, 2), (20, 1, 1))
    with pytest.raises(DataError, match="highest grade of the qrels is 2; relevant means 3"):
        judge(run(), reference, QIDS, relevant_from=3)


@pytest.mark.parametrize(
    ("split", "smallest"), [("dl19", 2), ("dl20", 2), ("test", 1), ("dev", 1), ("dl19-hard", 1)]
)
def test_only_trecs_splits_have_a_threshold(split: str, smallest: int) -> None:
    assert relevant_from(split, graded_from=2) == smallest


def test_only_what_the_depth_can_answer_is_given(worked: Judged) -> None:
    assert "recall_at_100" not in score(worked, 99)
    assert "recall_at_100" in score(worked, 100)
    assert set(score(worked, 1000)) == set(METRICS)


def test_recall_curve(worked: Judged) -> None:
    # Found of (2, 1, 1) relevant: none at 1; (1, 0, 0) at 2; (2, 1, 0) at 3 and after.
    assert recall_curve(worked, 12) == pytest.approx({1: 0, 2: 1 / 6, 5: 2 / 3, 10: 2 / 3})
