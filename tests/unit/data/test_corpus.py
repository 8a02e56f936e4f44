"""The canonical corpus, by hand: what is kept, what is dropped and why, and the counts of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from small_corpus import (
    CATS,
    DATA,
    DOGS,
    FISH,
    FOUND,
    GRAVITY,
    NO_FATE,
    Row,
    build,
    labels_of,
    raw,
    relevant_of,
    table,
    write_qna,
    write_tsv,
)

from twotower.artifacts import Corpus
from twotower.data import corpus, readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError


def test_counts_agree_with_a_hand_count(tmp_path: Path) -> None:
    given_ = readers.read(write_qna(tmp_path), "qna", DATA)
    counts = corpus.build(given_, DATA, 20, smoke=True).counts
    assert counts["smoke"] is True
    assert counts["train_labels"] == "selected"
    assert counts["queries_repaired"] == 0
    assert counts["found"] == FOUND
    assert list(counts["splits"]) == ["train", "dev", "test"]


def test_train_comes_first_then_dev_and_qids_stay_in_order() -> None:
    queries = [(4, "d", "test"), (3, "c", "dev"), (2, "b", "train"), (1, "a", "train")]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    assert built.queries["qid"].to_list() == [2, 1, 3, 4]


def test_the_best_grade_of_repeated_passages_counts() -> None:
    queries = [(1, "a", "train"), (2, "b", "dev"), (3, "c", "dl19")]
    passages = [(10, "same"), (11, " same\t"), (12, "other")]
    qrels = [(1, 10, 1), (2, 10, 1), (3, 10, 1), (3, 11, 3)]
    built = build(raw(passages, queries, qrels))
    assert built.qrels.filter(split="dl19").rows() == [(3, 10, 3, "dl19")]
    assert built.counts["passages"]["qrels_repeated"] == 1


def test_a_known_label_wins_over_an_unknown_one() -> None:
    queries = [(1, "a", "train"), (2, "b", "dev"), (3, "c", "test")]
    qrels = [(1, 10, 1), (1, 11, -1), (1, 12, -1), (1, 13, 0), (2, 10, 1), (3, 10, 1)]
    built = build(raw([(10, "x"), (11, "X"), (12, "y"), (13, " y")], queries, qrels))
    assert built.qrels.filter(qid=1).select("pid", "grade").rows() == [(10, 1), (12, 0)]


def test_a_dev_query_that_an_evaluated_split_has_is_dropped() -> None:
    queries = [(1, "a", "train"), (2, "SAME", "dev"), (3, "b", "dev"), (4, "same", "test")]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    assert built.queries["qid"].to_list() == [1, 3, 4]
    assert built.counts["found"]["dev"] == {
        "queries": 2,
        **NO_FATE,
        "repeated_in_other_split": 1,
        "used_as_dev": 1,
    }


def test_evaluated_splits_may_share_queries() -> None:
    queries = [(1, "a", "train"), (2, "b", "dev"), (3, "same", "dl19"), (4, "same", "dl20")]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    assert corpus.evaluation_splits(built) == ["dl19", "dl20"]
    assert built.counts["splits"]["dl19"]["queries_in_other_split"] == 0


def test_a_query_of_two_splits_is_named_by_its_own_id() -> None:
    queries = [(1, "a", "train"), (2, "b", "dev"), (7, "c", "test"), (7, "c", "extra")]
    given_ = raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries])
    with pytest.raises(DataError, match=r"all splits: qid 7 stands .* in test and extra"):
        build(given_)
    own = given_.queries.with_columns(source_id="PLAIN-" + pl.col("qid").cast(pl.String))
    with pytest.raises(DataError, match=r"source_id PLAIN-7 stands .* in test and extra"):
        build(RawCorpus(given_.passages, own, given_.qrels))


def overlapping() -> RawCorpus:
    """Train shares query texts with dev (2) and test (3), passages with dev (4) and test (5)."""
    queries = [
        (1, "own", "train"),
        (2, "IN DEV", "train"),
        (3, "in test", "train"),
        (4, "dev passage", "train"),
        (5, "test passage and another", "train"),
        (6, "in dev", "dev"),
        (7, "In Test", "dev"),
        (8, "in test", "test"),
    ]
    passages = [(pid, f"text {pid}") for pid in range(1, 9)]
    qrels = [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 6, 1), (5, 8, 1), (5, 5, 1)]
    qrels += [(6, 6, 1), (7, 7, 1), (8, 8, 1), (1, 6, 0)]
    return raw(passages, queries, qrels)


def overlap_figures(built: Corpus, name: str) -> dict[str, int]:
    return {split: of.get(name, 0) for split, of in built.counts["splits"].items()}


def test_overlap_is_removed_or_counted_for_queries() -> None:
    removed, counted = build(overlapping()), build(overlapping(), overlap_queries="count")
    assert removed.queries["qid"].to_list() == [1, 4, 5, 6, 8]
    assert removed.counts["found"]["train"]["repeated_in_other_split"] == 2
    assert removed.counts["found"]["dev"]["repeated_in_other_split"] == 1
    figures = overlap_figures(removed, "queries_in_other_split")
    assert figures == {"train": 0, "dev": 0, "test": 0}
    assert counted.queries["qid"].to_list() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert counted.counts["found"]["train"] == {"queries": 5, **NO_FATE, "used_as_train": 5}
    figures = overlap_figures(counted, "queries_in_other_split")
    assert figures == {"train": 2, "dev": 1, "test": 0}


def test_overlap_is_counted_or_removed_for_positives() -> None:
    counted, removed = build(overlapping()), build(overlapping(), overlap_positives="remove")
    seen = "positives_seen_in_training"
    assert overlap_figures(counted, seen) == {"train": 0, "dev": 1, "test": 1}
    assert counted.counts["found"]["train"]["positives_in_other_split"] == 0
    assert counted.qrels.filter(split="train")["pid"].to_list() == [1, 6, 8, 5, 6]
    # Query 4 loses its only passage, 5 one of two; passage 7 is that of a dev query that is gone.
    assert overlap_figures(removed, seen) == {"train": 0, "dev": 0, "test": 0}
    assert removed.queries["qid"].to_list() == [1, 5, 6, 8]
    assert removed.counts["found"]["train"]["positives_in_other_split"] == 1
    assert removed.qrels.filter(split="train", grade=1).select("qid", "pid").rows() == [
        (1, 1),
        (5, 5),
    ]


def test_passages_of_queries_that_are_gone_anyway_are_no_overlap() -> None:
    queries = [(1, "a", "train"), (2, "SAME", "dev"), (3, "b", "dev"), (4, "same", "test")]
    qrels = [(1, 2, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1)]
    built = build(raw([(2, "x"), (3, "y"), (4, "z")], queries, qrels), overlap_positives="remove")
    assert built.queries["qid"].to_list() == [1, 3, 4]


def test_a_split_whose_every_query_is_a_repeat() -> None:
    queries = [(1, "same", "train"), (2, "b", "dev"), (3, "Same", "test")]
    qrels = [(qid, 1, 1) for qid, _, _ in queries]
    with pytest.raises(DataError, match="split train: each of its queries"):
        build(raw([(1, "x")], queries, qrels))
    assert len(build(raw([(1, "x")], queries, qrels), overlap_queries="count").queries) == 3
    with pytest.raises(DataError, match="split train: each of its queries"):
        build(raw([(1, "x")], queries, qrels), overlap_queries="count", overlap_positives="remove")


def write_candidates(folder: Path) -> RawCorpus:
    """QnA with every mix of labels in train, and grade 0 and -1 elsewhere."""
    rows = {
        "train": [
            Row(1, "selected", [(1, GRAVITY), (0, CATS)]),
            Row(2, "none selected", [(0, DOGS), (0, FISH)]),
            Row(3, "withheld", [(-1, DOGS), (-1, FISH)]),
            Row(4, "mixed", [(-1, GRAVITY), (0, CATS)]),
            Row(5, "mixed too", [(-1, GRAVITY), (1, CATS)]),
        ],
        "validation": [Row(6, "dev", [(1, FISH), (0, CATS)]), Row(7, "dev none", [(0, FISH)])],
        "test": [Row(8, "test", [(1, DOGS), (0, CATS)]), Row(9, "test none", [(-1, DOGS)])],
    }
    folder.mkdir(exist_ok=True)
    for split, of_split in rows.items():
        pq.write_table(table(of_split), folder / f"{split}-00000-of-00001.parquet")
    return readers.read(folder, "qna", dataclasses.replace(DATA, train_labels="all"))


def test_weak_labels_are_trains_alone_and_never_withheld_ones(tmp_path: Path) -> None:
    built = build(write_candidates(tmp_path), train_labels="all")
    assert built.counts["train_labels"] == "weak"
    assert labels_of(built) == {
        ("selected", GRAVITY, 1),
        ("selected", CATS, 1),
        ("none selected", DOGS, 1),
        ("none selected", FISH, 1),
        ("mixed", CATS, 1),
        ("mixed too", CATS, 1),
        ("dev", FISH, 1),
        ("dev", CATS, 0),
        ("test", DOGS, 1),
        ("test", CATS, 0),
    }
    assert built.counts["found"] == {
        "train": {"queries": 5, **NO_FATE, "unlabelled": 1, "used_as_train": 4},
        "dev": {"queries": 2, **NO_FATE, "without_positive": 1, "used_as_dev": 1},
        "test": {"queries": 2, **NO_FATE, "unlabelled": 1, "used_as_test": 1},
    }


def test_selected_labels_of_the_same_files(tmp_path: Path) -> None:
    built = build(write_candidates(tmp_path))
    assert built.counts["train_labels"] == "selected"
    assert relevant_of(built) == {
        ("selected", GRAVITY),
        ("mixed too", CATS),
        ("dev", FISH),
        ("test", DOGS),
    }
    assert built.counts["found"]["train"] == {
        "queries": 5,
        **NO_FATE,
        "unlabelled": 1,
        "without_positive": 2,
        "used_as_train": 2,
    }


def test_relevant_passages_without_text_are_counted(tmp_path: Path) -> None:
    built = build(readers.read(write_tsv(tmp_path), "auto", DATA))
    assert built.counts["passages"]["positives_empty"] == 1  # of 2 qrels
    assert set(built.qrels["pid"]) <= set(built.passages["pid"])
