"""The one form of a run: its order, its ties, what is left out."""

from __future__ import annotations

import numpy as np
import polars as pl

from twotower.retrieval.runs import in_order, make_run, no_run

PIDS = pl.Series("pid", [100, 9, 10, 7])


def test_ties_go_by_pid_as_a_text_descending() -> None:
    scores = np.array([[0.5, 0.5, 0.5, 0.9]])
    run = make_run(pl.Series("qid", [1]), PIDS, scores, np.array([[0, 1, 2, 3]]))
    assert run["pid"].to_list() == [7, 9, 100, 10]


def test_scores_that_differ_only_beyond_float32_tie() -> None:
    scores = np.array([[0.5 + 1e-12, 0.5]])
    run = make_run(pl.Series("qid", [1]), PIDS, scores, np.array([[2, 1]]))
    assert run["pid"].to_list() == [9, 10]


def test_zero_and_minus_zero_tie() -> None:
    scores = np.array([[0.0, -0.0]], np.float32)
    run = make_run(pl.Series("qid", [1]), PIDS, scores, np.array([[2, 1]]))
    assert run["pid"].to_list() == [9, 10]


def test_rows_of_minus_one_are_dropped() -> None:
    rows = np.array([[1, -1, 3], [-1, -1, -1], [0, -1, -1]])
    scores = np.array([[0.1, 9.0, 0.2], [9.0, 9.0, 9.0], [0.3, 9.0, 9.0]])
    run = make_run(pl.Series("qid", [5, 6, 4]), PIDS, scores, rows)
    assert run.select("qid", "pid").rows() == [(5, 7), (5, 9), (4, 100)]


def test_queries_keep_their_order_and_columns_their_types() -> None:
    qids = pl.Series("qid", [30, 4, 12])
    run = make_run(qids, PIDS, np.array([[1.0], [2.0], [3.0]]), np.array([[0], [1], [0]]))
    assert run.rows() == [(30, 100, 1.0), (4, 9, 2.0), (12, 100, 3.0)]
    assert run.schema == {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}


def test_nothing_found_is_an_empty_run() -> None:
    run = make_run(pl.Series("qid", [1, 2]), PIDS, np.zeros((2, 0)), np.zeros((2, 0)))
    assert run.schema == {"qid": pl.Int64, "pid": pl.Int64, "score": pl.Float32}
    assert run.is_empty()


def test_no_run_is_an_empty_run_that_can_stand_beside_others() -> None:
    run = make_run(pl.Series("qid", [1]), PIDS, np.array([[0.5]]), np.array([[0]]))
    assert no_run().is_empty()
    assert pl.concat([no_run(), run]).rows() == run.rows()


def test_in_order_leaves_out_other_queries() -> None:
    run = pl.DataFrame({"qid": [1, 2, 3], "pid": [1, 1, 1], "score": [0.1, 0.2, 0.3]})
    assert in_order(run, pl.Series("qid", [3, 1]))["qid"].to_list() == [3, 1]
