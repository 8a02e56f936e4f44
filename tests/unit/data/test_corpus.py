"""The canonical corpus: counts by hand, and equality with a slow reference on random corpora."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import write_qna

from twotower.data import corpus, readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError

Rows = list[tuple[Any, ...]]


def raw(passages: Rows, queries: Rows, qrels: Rows) -> RawCorpus:
    """Tables of (pid, text), (qid, text, split), (qid, pid, grade, split)."""
    text, whole = pl.String, pl.Int64
    grades = {"qid": whole, "pid": whole, "grade": pl.Int32, "split": text}
    return RawCorpus(
        pl.DataFrame(passages, {"pid": whole, "text": text}, orient="row"),
        pl.DataFrame(queries, {"qid": whole, "text": text, "split": text}, orient="row"),
        pl.DataFrame(qrels, grades, orient="row"),
    )


def test_counts_agree_with_a_hand_count(tmp_path: Path) -> None:
    counts = corpus.build(readers.read(write_qna(tmp_path), "qna"), smoke=True).counts
    splits = counts.pop("splits")
    assert counts == {
        "smoke": True,
        "passages": 4,
        "passages_empty": 2,
        "passages_repeated": 7,
        "qrels_to_empty_passages": 1,
        "queries_unlabelled": 1,
    }
    assert splits["train"] == {
        "queries_found": 5,
        "queries_without_positive": 2,
        "queries_repeated_in_other_split": 1,
        "queries": 2,
        "qrels": 2,
    }
    assert splits["dev"]["positives_seen_in_training"] == 1  # cats
    assert splits["test"] == {
        "queries_found": 1,
        "queries_without_positive": 0,
        "queries_repeated_in_other_split": 0,
        "queries": 1,
        "qrels": 1,
        "positives_seen_in_training": 0,
    }


def test_train_comes_first_then_dev_and_qids_stay_in_order() -> None:
    queries = [(4, "d", "test"), (3, "c", "dev"), (2, "b", "train"), (1, "a", "train")]
    built = corpus.build(
        raw([(1, "x")], queries, [(qid, 1, 1, split) for qid, _, split in queries]), smoke=False
    )
    assert built.queries["qid"].to_list() == [2, 1, 3, 4]


def test_the_best_grade_of_repeated_passages_counts() -> None:
    queries = [(1, "a", "train"), (2, "b", "dev"), (3, "c", "dl19")]
    passages = [(10, "same"), (11, " same\t"), (12, "other")]
    qrels = [(1, 10, 1, "train"), (2, 10, 1, "dev"), (3, 10, 1, "dl19"), (3, 11, 3, "dl19")]
    built = corpus.build(raw(passages, queries, qrels), smoke=False)
    assert built.qrels.filter(split="dl19").rows() == [(3, 10, 3, "dl19")]


def test_a_dev_query_that_an_evaluated_split_has_is_dropped() -> None:
    queries = [(1, "a", "train"), (2, "SAME", "dev"), (3, "b", "dev"), (4, "same", "test")]
    qrels = [(qid, 1, 1, split) for qid, _, split in queries]
    built = corpus.build(raw([(1, "x")], queries, qrels), smoke=False)
    assert built.queries["qid"].to_list() == [1, 3, 4]
    assert built.counts["splits"]["dev"]["queries_repeated_in_other_split"] == 1


@pytest.mark.parametrize(
    ("splits", "grades", "message"),
    [
        (["train", "dev"], [1, 1], "splits found: train, dev; needed"),
        (["train", "test"], [1, 1], "splits found: train, test; needed"),
        (["train", "dev", "test"], [1, 1, -1], "split test: none of its 1 queries"),
        (["train", "dev", "test"], [0, 1, 1], "split train: none of its 1 queries"),
    ],
)
def test_splits_that_cannot_be_used(splits: list[str], grades: list[int], message: str) -> None:
    queries = [(qid, f"q{qid}", split) for qid, split in enumerate(splits)]
    qrels = [(qid, 1, grade, splits[qid]) for qid, grade in enumerate(grades)]
    with pytest.raises(DataError, match=message):
        corpus.build(raw([(1, "x")], queries, qrels), smoke=False)


def test_a_split_whose_every_query_is_a_repeat() -> None:
    queries = [(1, "same", "train"), (2, "b", "dev"), (3, "Same", "test")]
    qrels = [(qid, 1, 1, split) for qid, _, split in queries]
    with pytest.raises(DataError, match="split train: each of its queries"):
        corpus.build(raw([(1, "x")], queries, qrels), smoke=False)


def cleaned(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip(" ")


def slow_build(given_: RawCorpus) -> tuple[Rows, set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Build a corpus one row after the other: passages, queries, qrels."""
    text_of = {pid: cleaned(text) for pid, text in given_.passages.rows()}
    first = {text: pid for pid, text in reversed(text_of.items()) if text}
    grades: dict[tuple[int, int, str], int] = {}
    for qid, pid, grade, split in given_.qrels.rows():
        if text_of[pid]:
            key = (qid, first[text_of[pid]], split)
            grades[key] = max(grade, grades.get(key, grade))
    positive = {qid for (qid, _, _), grade in grades.items() if grade >= 1}
    kept = [(q, cleaned(t), s) for q, t, s in given_.queries.rows() if cleaned(t) and q in positive]
    held = {s: {t.lower() for _, t, split in kept if split == s} for s in ("dev", "test")}
    barred = {"test": set(), "dev": held["test"], "train": held["test"] | held["dev"]}
    queries = {(q, t, s) for q, t, s in kept if t.lower() not in barred[s]}
    qids = {qid for qid, _, _ in queries}
    qrels = {(q, p, grade, s) for (q, p, s), grade in grades.items() if q in qids}
    return [(pid, text) for text, pid in first.items()], queries, qrels


TEXTS = st.sampled_from(["a", "A", "a b", "a \x85\t b", " a", "", " \x00", "b", "B\u00a0"])


@st.composite
def raw_corpora(draw: st.DrawFn) -> RawCorpus:
    passages = [(10 + i, text) for i, text in enumerate(draw(st.lists(TEXTS, min_size=1)))]
    splits = st.sampled_from(["train", "dev", "test"])
    asked = [*draw(st.lists(st.tuples(TEXTS, splits), max_size=8))]
    asked += [("u", "train"), ("v", "dev"), ("w", "test")]  # each split has one of its own
    queries = [(i, *query) for i, query in enumerate(asked)]
    pids = st.sampled_from([pid for pid, _ in passages])
    judged = draw(st.lists(st.tuples(st.sampled_from(queries), pids, st.integers(-1, 3))))
    qrels = [(query[0], pid, grade, query[2]) for query, pid, grade in judged]
    anchor = [(9, "anchor")]
    return raw(anchor + passages, queries, qrels + [(q, 9, 1, s) for q, _, s in queries[-3:]])


@given(raw_corpora())
def test_equals_the_slow_reference(given_: RawCorpus) -> None:
    built = corpus.build(given_, smoke=False)
    passages, queries, qrels = slow_build(given_)
    assert sorted(built.passages.rows()) == sorted(passages)
    assert set(built.queries.rows()) == queries
    assert len(built.queries) == len(queries)
    assert set(built.qrels.rows()) == qrels
    assert len(built.qrels) == len(qrels)
