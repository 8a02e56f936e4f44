"""Real passages in both formats: every count of the corpus, against counts taken without polars."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from twotower import params
from twotower.artifacts import Corpus
from twotower.data import corpus, readers

pytestmark = pytest.mark.slice

ROOT = Path(__file__).resolve().parents[3]
DATA = params.load(ROOT / "params.yaml").data


def prepared(folder: Path, name: str, **changes: Any) -> Corpus:
    data = dataclasses.replace(DATA, **changes)
    return corpus.build(readers.read(folder, name, data), data, seed=20, smoke=False)


def cleaned(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip(" ")


@pytest.fixture(scope="module")
def folder(slice_folder: Path) -> Path:
    return slice_folder / "msmarco-slice"


@pytest.fixture(scope="module")
def passages(folder: Path) -> dict[int, str]:
    with gzip.open(folder / "collection.tsv.gz", "rt", encoding="utf-8", newline="\n") as lines:
        rows = (line.rstrip("\n").split("\t") for line in lines)
        return {int(pid): cleaned(text) for pid, text in rows}


def tsv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_passage_ranking_counts(folder: Path, passages: dict[int, str]) -> None:
    built = prepared(folder, "passage-ranking")
    counts = built.counts["passages"]
    assert counts["found"] == len(passages) == 101_717
    assert counts["kept"] == len(set(passages.values())) == len(built.passages)
    assert counts["not_ascii"] == sum(not text.isascii() for text in set(passages.values()))
    trained = {int(pid) for _, _, pid, grade in tsv(folder / "qrels.train.tsv") if int(grade) >= 1}
    for split in ("train", "dev", "test", "dl19"):
        of_split = built.counts["splits"][split]
        best: dict[tuple[int, int], int] = {}
        for qid, _, pid, grade in tsv(folder / f"qrels.{split}.tsv"):
            pair = int(qid), int(pid)
            best[pair] = max(int(grade), best.get(pair, 0))
        relevant = [pair for pair, grade in best.items() if grade >= 1]
        a_query = Counter(qid for qid, _ in relevant)
        assert of_split["queries"] == len(a_query) == len(tsv(folder / f"queries.{split}.tsv"))
        assert of_split["qrels"] == len(best)
        assert of_split["positives"] == len(relevant)
        assert of_split["positives_a_query_max"] == max(a_query.values())
        assert of_split["queries_by_positives"]["1"] == list(a_query.values()).count(1)
        assert of_split["grades"] == {
            str(grade): count for grade, count in Counter(best.values()).items() if grade
        }
        if split != "train":
            seen = {pid for _, pid in relevant} & trained
            assert of_split["positives_seen_in_training"] == len(seen)


def rows_of(folder: Path, split: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Each query's text, and its candidates as (label, text)."""
    for row in pq.read_table(folder / f"qna-{split}.parquet").to_pylist():
        texts = [cleaned(text) for text in row["passages"]["passage_text"]]
        yield row["query"], list(zip(row["passages"]["is_selected"], texts, strict=True))


def test_qna_counts(folder: Path) -> None:
    built = prepared(folder, "qna")
    texts: Counter[str] = Counter()
    for split, name in (("train", "train"), ("dev", "validation"), ("test", "test")):
        rows = list(rows_of(folder, name))
        texts.update(text for _, candidates in rows for _, text in candidates)
        positives = [
            len({text for label, text in candidates if label == 1}) for _, candidates in rows
        ]
        found, used = built.counts["found"][split], built.counts["splits"][split]
        assert found["queries"] == len(rows)
        assert found["without_positive"] == positives.count(0)
        assert used["queries"] == len(rows) - positives.count(0) == found[f"used_as_{split}"]
        assert used["positives"] == sum(positives)
        assert found["unlabelled"] == sum(
            all(label == -1 for label, _ in candidates) for _, candidates in rows
        )
    assert built.counts["passages"]["found"] == sum(texts.values())
    assert built.counts["passages"]["kept"] == len(texts)
    assert built.counts["passages"]["repeated"] == sum(texts.values()) - len(texts)


def test_repair_mends_the_known_damage(folder: Path, passages: dict[int, str]) -> None:
    """About one passage of nine; the apostrophes that were three strange characters are gone."""
    plain, mended = (prepared(folder, "passage-ranking", repair=on) for on in (False, True))
    before, after = (dict(built.passages.rows()) for built in (plain, mended))
    changed = {pid for pid in after if after[pid] != before[pid]}
    assert 0.1 < len(changed) / len(passages) < 0.15
    assert len(changed) <= mended.counts["passages"]["repaired"]
    strays = [sum("â " in text for text in texts.values()) for texts in (before, after)]
    assert strays[0] > 5_000
    assert strays[1] < 0.01 * strays[0]


def test_a_cut_keeps_what_the_kept_queries_list(folder: Path) -> None:
    small = prepared(folder, "qna", fraction=0.1)
    for split, name in (("train", "train"), ("dev", "validation"), ("test", "test")):
        labels = [{label for label, _ in candidates} for _, candidates in rows_of(folder, name)]
        answered = sum(1 in of_row for of_row in labels)
        tenths = -(-answered // 10) - (answered - len(labels)) // 10  # of both, rounded up
        found = small.counts["found"][split]
        assert found["queries"] - found["cut"] == tenths
    whole = prepared(folder, "qna")
    assert 0.08 < len(small.passages) / len(whole.passages) < 0.2
    assert set(small.qrels["pid"]) <= set(small.passages["pid"])
