"""Corpus tables as row numbers, by hand: qids and pids that mean nothing, in no order."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from twotower.artifacts import Corpus
from twotower.data import rows

# (qid, text, split); rows 0 to 5.
QUERIES = [
    (70, "How tall", "train"),
    (3, "other", "dev"),
    (55, "how TALL", "train"),
    (8, "third", "test"),
    (9, "unlisted", "train"),
    (2, "how tall", "dev"),
]
# Rows 0 to 3.
PIDS = [900, 7, 41, 12]
# (qid, pid, grade, split)
QRELS = [
    (55, 41, 1, "train"),
    (70, 900, 0, "train"),
    (70, 12, 2, "train"),
    (3, 7, 1, "dev"),
    (70, 900, -1, "train"),
    (55, 7, 0, "train"),
    (8, 41, 1, "test"),
    (2, 12, 0, "dev"),
    (70, 7, 1, "train"),
]
CORPUS = Corpus(
    passages=pl.DataFrame({"pid": PIDS}),
    queries=pl.DataFrame(QUERIES, ["qid", "text", "split"], orient="row"),
    qrels=pl.DataFrame(QRELS, ["qid", "pid", "grade", "split"], orient="row"),
    counts={},
)


def pairs(found: tuple[np.ndarray, np.ndarray]) -> list[tuple[int, int]]:
    assert [column.dtype for column in found] == ["int64", "int64"]
    return list(zip(*(column.tolist() for column in found), strict=True))


def test_relevant_pairs_in_the_order_of_the_qrels() -> None:
    found = rows.relevant(CORPUS, "train")
    assert pairs((found.query_rows, found.passage_rows)) == [(2, 2), (0, 3), (0, 1)]
    assert rows.relevant(CORPUS, "dev").passage_rows.tolist() == [1]


def test_texts_that_are_equal_but_for_case_have_one_id() -> None:
    found = rows.relevant(CORPUS, "train")
    assert len(set(found.text_ids.tolist())) == 1
    assert found.text_ids.dtype == np.int64
    (other,) = rows.relevant(CORPUS, "dev").text_ids
    assert other != found.text_ids[0]


def test_relevant_pairs_can_be_taken_by_name_and_in_order() -> None:
    found = rows.relevant(CORPUS, "train")
    query_rows, passage_rows, text_ids = found
    assert query_rows is found.query_rows
    assert passage_rows is found.passage_rows
    assert text_ids is found.text_ids


def test_unselected_are_the_trains_that_are_known_not_to_be_relevant() -> None:
    assert pairs(rows.unselected(CORPUS)) == [(0, 0), (0, 0), (2, 1)]


def test_a_run_is_placed_in_its_own_order() -> None:
    run = pl.DataFrame({"qid": [9, 70, 9], "pid": [12, 7, 900], "score": [0.1, 0.9, 0.5]})
    assert pairs(rows.found(CORPUS, run)) == [(4, 3), (0, 1), (4, 0)]


@pytest.mark.parametrize("run", [CORPUS.qrels.clear(), pl.DataFrame(schema=CORPUS.qrels.schema)])
def test_an_empty_run_has_no_rows(run: pl.DataFrame) -> None:
    assert pairs(rows.found(CORPUS, run)) == []
    assert pairs(rows.unselected(Corpus(CORPUS.passages, CORPUS.queries, run, {}))) == []
    assert len(rows.relevant(Corpus(CORPUS.passages, CORPUS.queries, run, {}), "train")[0]) == 0


def test_training_queries_are_the_trains_alone() -> None:
    found = rows.training(CORPUS)
    assert found.rows() == [(70, "How tall"), (55, "how TALL"), (9, "unlisted")]
    assert found.columns == ["qid", "text"]


def test_asked_queries_are_all_others_with_their_rows() -> None:
    found = rows.asked(CORPUS)
    assert found.select("qid", "split", "row").rows() == [
        (3, "dev", 1),
        (8, "test", 3),
        (2, "dev", 5),
    ]
