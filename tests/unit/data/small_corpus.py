"""One small corpus in both formats: repeats, blanks, withheld labels and a leak, counted by hand.

Of 13 candidates 2 are empty, and the others have 4 distinct texts.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.artifacts import Corpus

GRAVITY, CATS, DOGS, FISH = "Gravity pulls.", "Cats purr.", "Dogs bark.", "Fish swim."


class Row(NamedTuple):
    """A query with its candidates, each a label and a text."""

    qid: int
    query: str
    candidates: list[tuple[int, str | None]]


ROWS = {
    "train": [
        Row(1, " What is\u00a0gravity? ", [(1, GRAVITY), (0, CATS)]),
        Row(2, "why cats\x0bpurr", [(1, "  Cats \x1c purr."), (0, "")]),
        Row(3, "nobody knows", [(0, GRAVITY), (0, DOGS)]),
        Row(4, "Who WON?", [(1, DOGS)]),  # the test query 7, but for case
        Row(5, "withheld", [(-1, FISH), (-1, CATS)]),
    ],
    "validation": [Row(6, "do fish swim", [(1, FISH), (1, CATS)])],
    "test": [Row(7, "who won?", [(1, DOGS), (1, " \x85 ")])],
}
PASSAGES = {GRAVITY, CATS, DOGS, FISH}
QUERIES = {
    ("What is gravity?", "train"),
    ("why cats purr", "train"),
    ("do fish swim", "dev"),
    ("who won?", "test"),
}
RELEVANT = {
    ("What is gravity?", GRAVITY),
    ("why cats purr", CATS),
    ("do fish swim", FISH),
    ("do fish swim", CATS),
    ("who won?", DOGS),
}


def write_tsv(folder: Path, *, packed: bool = False) -> Path:
    """Write ROWS as passage ranking, each candidate with its own pid from 100 on; no grade 0."""
    folder.mkdir(exist_ok=True)
    passages: list[str | None] = []
    for split, rows in ROWS.items():
        qrels = []
        for row in rows:
            for label, text in row.candidates:
                if label:
                    qrels.append(f"{row.qid}\t0\t{100 + len(passages)}\t{label}\n")
                passages.append(text)
        queries = "".join(f"{row.qid}\t{row.query}\n" for row in rows)
        (folder / f"queries.{split}.tsv").write_text(queries, encoding="utf-8")
        (folder / f"qrels.{split}.tsv").write_text("".join(qrels), encoding="utf-8")
    collection = "".join(f"{pid}\t{text}\n" for pid, text in enumerate(passages, 100)).encode()
    if packed:
        (folder / "collection.tsv.gz").write_bytes(gzip.compress(collection))
    else:
        (folder / "collection.tsv").write_bytes(collection)
    return folder


def table(rows: list[Row]) -> pa.Table:
    """Give rows in the hub's columns, those included that the reader does not need."""
    return pa.table(
        {
            "answers": [["no"] for _ in rows],
            "passages": [
                {
                    "is_selected": [label for label, _ in row.candidates],
                    "passage_text": [text for _, text in row.candidates],
                    "url": ["" for _ in row.candidates],
                }
                for row in rows
            ],
            "query": [row.query for row in rows],
            "query_id": pa.array([row.qid for row in rows], pa.int32()),
        }
    )


def write_qna(folder: Path) -> Path:
    """Write ROWS as the hub's Parquet files."""
    folder.mkdir(exist_ok=True)
    for split, rows in ROWS.items():
        pq.write_table(table(rows), folder / f"{split}-00000-of-00001.parquet")
    return folder


def queries_of(corpus: Corpus) -> set[tuple[str, str]]:
    """Give (text, split) of every query."""
    return set(corpus.queries.select("text", "split").rows())


def relevant_of(corpus: Corpus) -> set[tuple[str, str]]:
    """Give (query text, passage text) of every relevant pair."""
    query = dict(corpus.queries.select("qid", "text").rows())
    passage = dict(corpus.passages.select("pid", "text").rows())
    rows = corpus.qrels.select("qid", "pid", "grade").rows()
    return {(query[qid], passage[pid]) for qid, pid, grade in rows if grade >= 1}
