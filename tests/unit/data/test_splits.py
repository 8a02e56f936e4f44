"""Which query goes where: withheld labels, splits held out of train, the named test, the cut."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_corpus import DATA, NO_FATE, Row, Rows, build, raw, table

from twotower.artifacts import Corpus
from twotower.data import readers, splits
from twotower.data.raw import RawCorpus
from twotower.errors import DataError

V21_ROWS = {"train": 40, "validation": 8, "test": 6}


def write_v21(folder: Path, *, validation: bool = True) -> RawCorpus:
    """The hub's v2.1 in small: train and validation labelled, every label of test is -1."""
    qid = 0
    for split, count in V21_ROWS.items():
        rows = []
        for _ in range(count):
            label = -1 if split == "test" else 1
            other = -1 if split == "test" else 0
            candidates = [(label, f"right {qid}"), (other, f"wrong {qid}")]
            rows.append(Row(qid, f"query {qid}", candidates))
            qid += 1
        if validation or split != "validation":
            pq.write_table(table(rows), folder / f"{split}-00000-of-00001.parquet")
    return readers.read(folder, "qna", DATA)


def qids(built: Corpus, split: str) -> list[int]:
    return built.queries.filter(split=split)["qid"].to_list()


def test_withheld_labels_make_no_test_and_validation_becomes_it(tmp_path: Path) -> None:
    built = build(write_v21(tmp_path), held_out_queries=5)
    assert qids(built, "test") == list(range(40, 48))
    assert len(qids(built, "dev")) == 5
    assert set(qids(built, "dev")) < set(range(40))
    assert set(qids(built, "train")) == set(range(40)) - set(qids(built, "dev"))
    assert built.counts["found"] == {
        "train": {"queries": 40, **NO_FATE, "used_as_train": 35, "used_as_dev": 5},
        "dev": {"queries": 8, **NO_FATE, "used_as_test": 8},
        "test": {"queries": 6, **NO_FATE, "unlabelled": 6},
    }


@pytest.mark.parametrize("labels", ["selected", "all"])
def test_a_withheld_label_never_becomes_relevant(tmp_path: Path, labels: str) -> None:
    built = build(write_v21(tmp_path), train_labels=labels, overlap_positives="count")
    texts = dict(built.passages.select("pid", "text").rows())
    for qid, pid, grade, split in built.qrels.rows():
        right = texts[pid] == f"right {qid}"
        assert texts[pid] in (f"right {qid}", f"wrong {qid}")
        assert grade == (1 if right or (labels == "all" and split == "train") else 0)
        assert qid < 48
    # The passages of test stay in the pool all the same.
    assert {f"right {qid}" for qid in range(48, 54)} < set(texts.values())


def test_dev_and_test_are_both_held_out_where_neither_is_labelled(tmp_path: Path) -> None:
    built = build(write_v21(tmp_path, validation=False), held_out_queries=5)
    sizes = Counter(built.queries["split"])
    assert sizes == {"train": 30, "dev": 5, "test": 5}
    assert len(set(built.queries["qid"])) == 40
    named = built.qrels.join(built.queries.select("qid", of="split"), on="qid")
    assert named["split"].eq(named["of"]).all()  # by query: no label stays behind
    assert named.filter(split="dev")["qid"].n_unique() == 5


def test_at_most_a_fifth_is_held_out(tmp_path: Path) -> None:
    built = build(write_v21(tmp_path, validation=False), held_out_queries=1000)
    assert Counter(built.queries["split"]) == {"train": 26, "dev": 8, "test": 6}


def test_held_out_queries_follow_the_seed_alone(tmp_path: Path) -> None:
    given_ = write_v21(tmp_path)
    first = qids(build(given_, held_out_queries=5), "dev")
    assert qids(build(given_, held_out_queries=5), "dev") == first
    turned = RawCorpus(given_.passages, given_.queries.reverse(), given_.qrels.reverse())
    assert sorted(qids(build(turned, held_out_queries=5), "dev")) == first
    assert qids(build(given_, held_out_queries=5, seed=21), "dev") != first
    assert set(first) < set(qids(build(given_, held_out_queries=7), "dev"))


def test_nothing_is_held_out_for_what_is_there() -> None:
    queries = [(i, f"q{i}", split) for i, split in enumerate(["train"] * 9 + ["dev", "dl19"])]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    assert Counter(built.queries["split"]) == {"train": 9, "dev": 1, "dl19": 1}


def test_only_dev_is_held_out_where_an_evaluated_split_is_there() -> None:
    queries = [(i, f"q{i}", split) for i, split in enumerate(["train"] * 10 + ["dl19"])]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    assert Counter(built.queries["split"]) == {"train": 8, "dev": 2, "dl19": 1}


def test_held_out_queries_have_a_selected_passage_whatever_train_takes() -> None:
    queries = [(i, f"q{i}", "train") for i in range(40)]
    passages = [(i, f"t{i}") for i in range(40)]
    qrels: Rows = [(i, i, int(i < 10)) for i in range(40)]  # a quarter is selected
    built = build(raw(passages, queries, qrels), train_labels="all")
    held = built.qrels.filter(pl.col("split") != "train")
    assert Counter(built.queries["split"]) == {"train": 37, "dev": 2, "test": 1}
    assert set(held["qid"]) < set(range(10))
    assert built.counts["found"]["train"] == {
        "queries": 40,
        **NO_FATE,
        "used_as_train": 37,
        "used_as_dev": 2,
        "used_as_test": 1,
    }


def test_queries_that_are_dropped_anyway_are_not_held_out() -> None:
    queries = [(i, "" if i % 2 else f"q{i}", "train") for i in range(40)]
    built = build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))
    ends = {"empty": 20, "used_as_train": 13, "used_as_dev": 4, "used_as_test": 3}
    assert built.counts["found"] == {"train": {"queries": 40, **NO_FATE, **ends}}


def test_a_query_held_out_takes_its_twins_with_it() -> None:
    queries = [(i, f"same {i // 4}", "train") for i in range(40)]
    qrels = [(qid, 1, 1) for qid, _, _ in queries]
    built = build(raw([(1, "x")], queries, qrels), held_out_queries=2)
    texts = {split: set(built.queries.filter(split=split)["text"]) for split in ("train", "test")}
    assert not texts["train"] & texts["test"]
    ends = built.counts["found"]["train"]
    assert ends["repeated_in_other_split"] > 0
    assert sum(ends.values()) == 2 * 40  # queries, and what became of each


def labelled(*names: str, grade: int = 1) -> RawCorpus:
    """Ten queries of each split, all with the same passage."""
    queries = [
        (i, f"q{i}", name) for i, name in enumerate(name for name in names for _ in range(10))
    ]
    return raw([(1, "x")], queries, [(qid, 1, grade) for qid, _, _ in queries])


@pytest.mark.parametrize(
    ("test", "sizes", "left_out"),
    [
        ("auto", {"train": 10, "dev": 10, "test": 10, "dl19": 10}, []),
        ("dl19", {"train": 10, "dev": 10, "dl19": 10}, ["test"]),
        ("test", {"train": 10, "dev": 10, "test": 10}, ["dl19"]),
        ("dev", {"train": 8, "dev": 2, "test": 10}, ["test", "dl19"]),
        ("validation", {"train": 8, "dev": 2, "test": 10}, ["test", "dl19"]),
    ],
)
def test_the_named_test(test: str, sizes: dict[str, int], left_out: list[str]) -> None:
    built = build(labelled("train", "dev", "test", "dl19"), test=test)
    assert Counter(built.queries["split"]) == sizes
    for split, ends in built.counts["found"].items():
        assert ends["of_unused_split"] == (10 if split in left_out else 0)


@pytest.mark.parametrize(
    ("names", "test", "message"),
    [
        (["train", "dev"], "test", "there is no split test; splits found: train, dev"),
        (["train", "dev"], "train", "data.test: train is trained on; it cannot be evaluated"),
        (["dev", "test"], "auto", "there is no split train; splits found: dev, test"),
        (["dev", "test"], "train", "there is no split train; splits found: dev, test"),
    ],
)
def test_splits_that_are_not_there(names: list[str], test: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(labelled(*names), test=test)


def test_a_named_test_without_labels(tmp_path: Path) -> None:
    message = r"split test: none of its 6 queries has a relevant .* -1 .*labelled: train, dev\)"
    with pytest.raises(DataError, match=message):
        build(write_v21(tmp_path), test="test")


@pytest.mark.parametrize("grade", [0, -1])
def test_train_without_labels(grade: int) -> None:
    given_, other = labelled("train", grade=grade), labelled("dev", "test")
    moved = other.queries.with_columns(pl.col("qid") + 100)
    both = RawCorpus(
        given_.passages,
        pl.concat([given_.queries, moved]),
        pl.concat([given_.qrels, other.qrels.with_columns(pl.col("qid") + 100)]),
    )
    with pytest.raises(DataError, match="split train: none of its 10 queries has a relevant"):
        build(both)


def test_no_query_at_all_has_a_relevant_passage() -> None:
    with pytest.raises(DataError, match=r"split train: .* \(labelled: none\)"):
        build(labelled("train", "test", grade=-1))


@pytest.mark.parametrize(("count", "missing", "left"), [(4, "dev", 4), (5, "test", 4)])
def test_too_few_train_queries(count: int, missing: str, left: int) -> None:
    queries = [(i, f"q{i}", "train") for i in range(count)]
    message = (
        f"no labelled split {missing}, and train has only {left} queries .* supply a {missing}"
    )
    with pytest.raises(DataError, match=message):
        build(raw([(1, "x")], queries, [(qid, 1, 1) for qid, _, _ in queries]))


def test_one_file_of_pairs_is_split_in_three(tmp_path: Path) -> None:
    lines = [f"query {i}\tdocument {i}\t{int(i % 3 > 0)}\n" for i in range(60)]
    (tmp_path / "mine.tsv").write_text("query\tdocument\tlabel\n" + "".join(lines))
    built = build(readers.read(tmp_path, "auto", DATA), held_out_queries=6)
    assert Counter(built.queries["split"]) == {"train": 28, "dev": 6, "test": 6}
    assert built.counts["found"] == {
        "train": {
            "queries": 60,
            **NO_FATE,
            "without_positive": 20,
            "used_as_train": 28,
            "used_as_dev": 6,
            "used_as_test": 6,
        }
    }


def cut(
    queries: pl.DataFrame, judged: pl.Series | None = None, seed: int = 1, **changes: Any
) -> pl.Series:
    """Cut with changes to DATA; all queries are judged, or the given ones."""
    positive = queries["qid"] if judged is None else judged
    qrels = pl.DataFrame({"qid": positive, "pid": 1, "grade": 1})
    return splits.cut(queries, qrels, dataclasses.replace(DATA, **changes), seed)


def asked(**sizes: int) -> pl.DataFrame:
    names = [name for name, size in sizes.items() for _ in range(size)]
    return pl.DataFrame({"qid": range(100, 100 + len(names)), "split": names})


@pytest.mark.parametrize(
    ("fraction", "most", "kept"),
    [
        (1.0, 0, {"train": 100, "dev": 7, "test": 1}),
        (0.5, 0, {"train": 50, "dev": 4, "test": 1}),  # rounded up
        (0.07, 0, {"train": 7, "dev": 1, "test": 1}),  # 0.07 * 100 is 7.000000000000001
        (1e-9, 0, {"train": 1, "dev": 1, "test": 1}),
        (1.0, 5, {"train": 5, "dev": 5, "test": 1}),
        (0.5, 20, {"train": 20, "dev": 4, "test": 1}),
    ],
)
def test_the_cut_is_of_each_split(fraction: float, most: int, kept: dict[str, int]) -> None:
    queries = asked(train=100, dev=7, test=1)
    found = queries.filter(cut(queries, fraction=fraction, max_queries=most))
    assert Counter(found["split"]) == kept


def test_a_cut_of_train_leaves_the_others_and_the_pool_alone() -> None:
    queries = asked(train=100, dev=7, test=2)
    found = queries.filter(cut(queries, cut="train", fraction=0.5, max_queries=5))
    assert Counter(found["split"]) == {"train": 5, "dev": 7, "test": 2}
    built = build(candidates(), cut="train", fraction=0.1)
    assert len(built.passages) == 26
    assert Counter(built.queries["split"]) == {"train": 2, "dev": 2, "test": 2}


def test_what_counts_is_queries_with_a_relevant_passage() -> None:
    """MS MARCO's dl19 has 200 queries, 43 of them judged; half of both are kept."""
    queries = asked(train=30, dl19=200)
    judged = queries.filter(pl.col("split") == "dl19")["qid"].head(43)
    some = pl.concat([judged, queries["qid"].head(10)])
    kept = queries.filter(cut(queries, some, fraction=0.5))
    of_split = kept.filter(split="dl19")["qid"]
    assert (len(of_split), of_split.is_in(judged.implode()).sum()) == (22 + 79, 22)
    few = queries.filter(cut(queries, some, max_queries=4))
    of_split = few.filter(split="dl19")["qid"]
    assert (len(of_split), of_split.is_in(judged.implode()).sum()) == (4 + 15, 4)


@given(st.integers(0, 2**31 - 1), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 40))
def test_a_smaller_share_is_part_of_a_larger_one(
    seed: int, one: float, other: float, most: int
) -> None:
    queries = asked(train=30, dev=11)
    shares = sorted((one, other))
    small, large = (cut(queries, seed=seed, fraction=share) for share in shares)
    assert (large | ~small).all()
    few, more = (cut(queries, seed=seed, max_queries=count) for count in (most, most + 3))
    assert (more | ~few).all()


def test_the_cut_follows_the_seed_and_the_ids_alone() -> None:
    queries = asked(train=50, dev=50)

    def kept(table: pl.DataFrame, seed: int) -> set[int]:
        return set(table.filter(cut(table, seed=seed, fraction=0.3))["qid"])

    assert kept(queries, 1) == kept(queries, 1) == kept(queries.reverse(), 1)
    assert kept(queries, 1) != kept(queries, 2)
    alone = queries.filter(split="dev")
    assert kept(alone, 1) == {qid for qid in kept(queries, 1) if qid >= 150}


def candidates() -> RawCorpus:
    """Queries 0..19 of train list a passage of their own, 20..23 are of dev and test.

    Passage 900 is listed by all, 901 by none.
    """
    names = ["train"] * 20 + ["dev"] * 2 + ["test"] * 2
    queries = [(i, f"q{i}", name) for i, name in enumerate(names)]
    passages = [(i, f"own {i}") for i in range(24)] + [(900, "of all"), (901, "of none")]
    qrels = [(i, i, 1) for i in range(24)] + [(i, 900, 0) for i in range(24)]
    return raw(passages, queries, qrels)


@pytest.mark.parametrize("changes", [{"fraction": 0.5}, {"max_queries": 10}])
def test_passages_of_cut_queries_go_and_others_stay(changes: dict[str, Any]) -> None:
    built = build(candidates(), **changes)
    kept = set(built.queries["qid"])
    assert Counter(built.queries["split"])["train"] == 10
    assert set(built.passages["pid"]) == kept | {900, 901}
    assert set(built.qrels["qid"]) == kept
    counts = built.counts
    assert counts["passages"]["cut"] == 24 - len(kept)
    assert counts["passages"]["found"] == 26
    assert counts["found"]["train"] == {"queries": 20, **NO_FATE, "cut": 10, "used_as_train": 10}


def test_passages_that_no_query_lists_are_cut_alike() -> None:
    given_ = candidates()
    more = pl.DataFrame({"pid": range(1000, 1100), "text": [f"more {i}" for i in range(100)]})
    passages = pl.concat([given_.passages, more])
    built = build(RawCorpus(passages, given_.queries, given_.qrels), fraction=0.5)
    assert built.passages["pid"].is_between(901, 1100).sum() == 51, "half of 101, rounded up"


def test_everything_is_kept_where_nothing_is_cut() -> None:
    built = build(candidates())
    assert built.counts["passages"]["cut"] == 0
    assert set(built.passages["pid"]) == {*range(24), 900, 901}
