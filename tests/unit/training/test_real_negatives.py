"""Invariant 3 on real passages: of all that batches bring, no true passage is a negative."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny

from twotower import params
from twotower.artifacts import Corpus
from twotower.data import corpus, readers, rows
from twotower.training.negatives import Sources, draw, gather
from twotower.training.pairs import Pairs, epoch_batches, false_negatives, make_pairs

pytestmark = pytest.mark.slice

ROOT = Path(__file__).resolve().parents[3]
ALL_KINDS = dataclasses.replace(tiny.NEGATIVES, random=2, unselected=2, bm25=2, own=2)
EPOCHS = 3


@pytest.fixture(scope="module", params=["passage-ranking", "qna"])
def built(request: pytest.FixtureRequest, slice_folder: Path) -> Corpus:
    data, folder = params.load(ROOT / "params.yaml").data, slice_folder / "msmarco-slice"
    raw = readers.read(folder, request.param, data)
    return corpus.build(raw, data, seed=20, smoke=False)


def relevant_of_text(built: Corpus) -> dict[str, set[int]]:
    """Give the rows of the passages that are relevant in train, by the query's text."""
    text_of = dict(built.queries.select("qid", "text").iter_rows())
    row_of = {pid: row for row, pid in enumerate(built.passages["pid"])}
    found = defaultdict(set)
    for qid, pid, grade, split in built.qrels.select("qid", "pid", "grade", "split").iter_rows():
        if split == "train" and grade >= 1:
            found[text_of[qid].lower()].add(row_of[pid])
    return dict(found)


def found_with_positives(pairs: Pairs, passages: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A run that holds each query's positives beside random passages, as a real one would."""
    others = np.random.default_rng(seed).integers(0, passages, len(pairs))
    return np.tile(pairs.query_rows, 2), np.concatenate([pairs.passage_rows, others])


def sources(built: Corpus, pairs: Pairs) -> Sources:
    size = len(built.passages)
    bm25, own = (found_with_positives(pairs, size, seed) for seed in (1, 2))
    gathered = gather(pairs, size, rows.unselected(built), bm25)
    return dataclasses.replace(gathered, own=gather(pairs, size, own, own).bm25)


def batches(built: Corpus, pairs: Pairs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give pairs and passages of every batch of some epochs."""
    generator, drawn_from = np.random.default_rng(0), sources(built, pairs)
    for _ in range(EPOCHS):
        for batch in epoch_batches(len(pairs), 512, generator):
            yield batch, draw(ALL_KINDS, drawn_from, pairs, batch, generator)


def test_no_true_passage_is_a_negative_in_any_batch(built: Corpus) -> None:
    pairs = make_pairs(*rows.relevant(built, "train"))
    texts = built.queries["text"].str.to_lowercase().to_list()
    relevant, unmasked, left = relevant_of_text(built), {"own": 0, "brought": 0}, 0
    for batch, passages in batches(built, pairs):
        mask = false_negatives(pairs, batch, passages)
        columns = defaultdict(list)
        for column, passage in enumerate(passages.tolist()):
            columns[passage].append(column)
        for i, query in enumerate(pairs.query_rows[batch].tolist()):
            true = [j for row in relevant[texts[query]] for j in columns[row] if j != i]
            unmasked["own"] += sum(j < len(batch) for j in true)
            unmasked["brought"] += sum(j >= len(batch) for j in true)
            left += sum(not mask[i, j] for j in true)
            assert mask[i].sum() == len(true), "nothing else is masked"
    assert min(unmasked.values()) > 0, "without the mask there would be some"
    assert left == 0
