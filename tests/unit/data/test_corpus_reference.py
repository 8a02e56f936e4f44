"""The canonical corpus equals a slow reference, row by row, on random corpora and settings.

Held-out splits are left to test_splits.py; which queries a cut takes, the reference is told.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from typing import Any

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_corpus import DATA, Rows, raw

from twotower.artifacts import Corpus
from twotower.config import Data
from twotower.data import corpus, splits
from twotower.data.raw import RawCorpus

NAMES = ("train", "dev", "test", "dl19")


class Slow:
    """A corpus built one row after the other, with sets and dicts alone.

    kept: whether each query is kept by data.fraction and data.max_queries; unlisted: the kept ones
    of the passages that no query lists. `usable` is False where a split has no query left, which
    the real one holds out or refuses.
    """

    def __init__(self, given_: RawCorpus, kept: list[bool], unlisted: set[int], data: Data) -> None:
        self.data = data
        self.unlisted = unlisted
        self.split_of = {qid: split for qid, _, split in given_.queries.rows()}
        self.text_of = {qid: cleaned(text) for qid, text, _ in given_.queries.rows()}
        self.fate = {
            qid: "cut" for qid, is_kept in zip(self.split_of, kept, strict=True) if not is_kept
        }
        self.first = self._first_of_each_text(given_)
        self.grades = self._grades(given_)
        self.best: dict[int, int] = {}
        for (qid, _), grade in self.grades.items():
            self.best[qid] = max(grade, self.best.get(qid, grade))
        self._drop_blank_and_withheld()
        self.used = self._used_as()
        self._drop_without_positive()
        self.qrels = self._known_labels()
        self._drop_repeats()
        self._drop_shared_positives()
        self.qrels = {qrel for qrel in self.qrels if qrel[0] not in self.fate}
        left = {str(self.used[qid]) for qid in self.text_of if qid not in self.fate}
        wanted = {"train", "dev"} | (
            {data.test} if data.test != "auto" else set(self.used.values()) - {"train", "dev", None}
        )
        self.usable = left == wanted and bool(left - {"train", "dev"})

    def _first_of_each_text(self, given_: RawCorpus) -> dict[str, int]:
        stays = {pid for qid, pid, _ in given_.qrels.rows() if qid not in self.fate}
        if "cut" in self.fate.values() and self.data.cut == "all":
            stays |= self.unlisted
        else:
            stays = set(given_.passages["pid"])
        self.passage_text = {
            pid: cleaned(text) for pid, text in given_.passages.rows() if pid in stays
        }
        return {text: pid for pid, text in reversed(self.passage_text.items()) if text}

    def _grades(self, given_: RawCorpus) -> dict[tuple[int, int], int]:
        grades: dict[tuple[int, int], int] = {}
        for qid, pid, grade in given_.qrels.rows():
            if qid not in self.fate and self.passage_text[pid]:
                key = (qid, self.first[self.passage_text[pid]])
                grades[key] = max(grade, grades.get(key, grade))
        return grades

    def _drop_blank_and_withheld(self) -> None:
        for qid, text in self.text_of.items():
            if not text:
                self.fate.setdefault(qid, "empty")
            if self.best.get(qid, 0) < 0:
                self.fate.setdefault(qid, "unlabelled")

    def _used_as(self) -> dict[int, str | None]:
        """Say in which split each query is used: none, if data.test names another."""
        labelled = {
            self.split_of[qid]
            for qid in self.text_of
            if qid not in self.fate and self.best.get(qid, 0) >= 1
        }
        chosen = labelled if self.data.test == "auto" else {"train", "dev", self.data.test}
        return {
            qid: split if split in labelled & chosen else None
            for qid, split in self.split_of.items()
        }

    def _is_weak(self, qid: int) -> bool:
        return self.data.train_labels == "all" and self.used[qid] == "train"

    def _drop_without_positive(self) -> None:
        for qid in self.text_of:
            if self.best.get(qid, -1) < (0 if self._is_weak(qid) else 1):
                self.fate.setdefault(qid, "without_positive")
            if self.used[qid] is None:
                self.fate.setdefault(qid, "of_unused_split")

    def _known_labels(self) -> set[tuple[int, int, int, str]]:
        return {
            (qid, pid, max(grade, 1) if self._is_weak(qid) else grade, str(self.used[qid]))
            for (qid, pid), grade in self.grades.items()
            if qid not in self.fate and grade >= 0
        }

    def _drop_repeats(self) -> None:
        rank = {
            qid: {"train": 2, "dev": 1}.get(str(self.used[qid]), 0)
            for qid in self.text_of
            if qid not in self.fate
        }
        self.repeats = {
            qid
            for qid in rank
            for other in rank
            if rank[other] < rank[qid] and self.text_of[other].lower() == self.text_of[qid].lower()
        }
        if self.data.overlap_queries == "remove":
            self.fate |= dict.fromkeys(self.repeats, "repeated_in_other_split")

    def _drop_shared_positives(self) -> None:
        if self.data.overlap_positives == "count":
            return
        alive = {qrel for qrel in self.qrels if qrel[0] not in self.fate}
        held = {pid for _, pid, grade, split in alive if split != "train" and grade >= 1}
        self.qrels = {row for row in alive if row[3] != "train" or row[1] not in held}
        left = {qid for qid, _, grade, _ in self.qrels if grade >= 1}
        for qid in set(self.text_of) - left:
            self.fate.setdefault(qid, "positives_in_other_split")

    @property
    def queries(self) -> set[tuple[Any, ...]]:
        """qid, text, split."""
        return {
            (qid, text, self.used[qid])
            for qid, text in self.text_of.items()
            if qid not in self.fate
        }

    def ends(self, split: str) -> dict[str, int]:
        """Count what became of a file split's queries."""
        of_split = [qid for qid, found_in in self.split_of.items() if found_in == split]
        return dict(Counter(self.fate.get(qid, f"used_as_{self.used[qid]}") for qid in of_split))

    def positives(self, split: str) -> set[int]:
        """Give the relevant passages of a split."""
        return {pid for _, pid, grade, used in self.qrels if used == split and grade >= 1}


def cleaned(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip(" ")


TEXTS = st.sampled_from(["a", "A", "a b", "a \x85\t b", " a", "", " \x00", "b", "B\u00a0"])
SETTINGS = st.fixed_dictionaries(
    {
        "test": st.sampled_from(["auto", "test", "dl19"]),
        "train_labels": st.sampled_from(["selected", "all"]),
        "overlap_queries": st.sampled_from(["remove", "count"]),
        "overlap_positives": st.sampled_from(["remove", "count"]),
        "cut": st.sampled_from(["all", "train"]),
        "fraction": st.sampled_from([1.0, 1.0, 0.6]),
        "max_queries": st.sampled_from([0, 0, 3]),
    }
)


@st.composite
def raw_corpora(draw: st.DrawFn) -> RawCorpus:
    """Random tables; each split has a query and a passage that no other split has."""
    passages = [(10 + i, text) for i, text in enumerate(draw(st.lists(TEXTS, min_size=1)))]
    asked = [*draw(st.lists(st.tuples(TEXTS, st.sampled_from(NAMES)), max_size=10))]
    asked += [(f"own {name}", name) for name in NAMES]
    queries = [(i, *query) for i, query in enumerate(asked)]
    pids = st.sampled_from([pid for pid, _ in passages])
    judged = draw(st.lists(st.tuples(st.sampled_from(queries), pids, st.integers(-1, 3))))
    qrels: Rows = [(query[0], pid, grade) for query, pid, grade in judged]
    anchors = [(1 + i, f"anchor {i}") for i in range(len(NAMES))]
    qrels += [(query[0], 1 + i, 1) for i, query in enumerate(queries[-len(NAMES) :])]
    return raw(anchors + passages, queries, qrels)


@settings(max_examples=200)
@given(raw_corpora(), SETTINGS, st.integers(0, 3))
def test_equals_the_slow_reference(given_: RawCorpus, changes: dict[str, Any], seed: int) -> None:
    data = dataclasses.replace(DATA, **changes)
    kept = splits.cut(given_.queries, given_.qrels, data, seed).to_list()
    share = sum(kept) / len(kept)
    nobodys = set(given_.passages["pid"]) - set(given_.qrels["pid"])
    in_order = given_.passages.filter(pl.col("pid").is_in(nobodys))["pid"]
    slow = Slow(given_, kept, set(splits.sample(in_order, share, seed)), data)
    assert slow.usable or not all(kept)
    assume(slow.usable)
    built = corpus.build(given_, data, seed, smoke=False)
    assert sorted(built.passages.rows()) == sorted((p, text) for text, p in slow.first.items())
    assert set(built.queries.rows()) == slow.queries
    assert len(built.queries) == len(slow.queries)
    assert set(built.qrels.rows()) == slow.qrels
    assert len(built.qrels) == len(slow.qrels)
    assert_counts(built, given_, slow)


def assert_counts(built: Corpus, given_: RawCorpus, slow: Slow) -> None:
    """The counts are those of the reference, and add up."""
    found, passages = built.counts["found"], built.counts["passages"]
    for split, ends in found.items():
        counted = {end: count for end, count in ends.items() if count and end != "queries"}
        assert counted == slow.ends(split)
        assert ends["queries"] == sum(counted.values())
    assert sum(ends["queries"] for ends in found.values()) == len(given_.queries)
    dropped = sum(passages[name] for name in ("cut", "empty", "repeated"))
    assert passages["found"] == len(given_.passages) == dropped + passages["kept"]
    whole = slow.data.cut == "train"
    listed = [row for row in given_.qrels.rows() if whole or slow.fate.get(row[0]) != "cut"]
    empty = [grade for _, pid, grade in listed if not slow.passage_text[pid]]
    assert passages["positives_empty"] == sum(grade >= 1 for grade in empty)
    assert len(listed) == len(slow.grades) + len(empty) + passages["qrels_repeated"]
    alive = {qid for qid, _, _ in slow.queries}
    for split, of in built.counts["splits"].items():
        asked = {qid for qid, _, used in slow.queries if used == split}
        assert of["queries"] == sum(of["queries_by_positives"].values()) == len(asked)
        removed = slow.data.overlap_queries == "remove"
        assert of["queries_in_other_split"] == (0 if removed else len(slow.repeats & asked & alive))
        assert of["qrels"] == sum(used == split for _, _, _, used in slow.qrels)
        assert of["positives"] == sum(of["grades"].values())
        assert of["positives_different"] == len(slow.positives(split))
        if split != "train":
            seen = slow.positives(split) & slow.positives("train")
            assert of["positives_seen_in_training"] == len(seen)
