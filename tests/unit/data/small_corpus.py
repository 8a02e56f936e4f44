"""One small corpus in every format: repeats, blanks, withheld labels and a leak, counted by hand.

Of 15 candidates 2 are empty, and the others have 4 distinct texts.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from twotower.artifacts import Corpus
from twotower.config import Data, Download
from twotower.data import corpus
from twotower.data.raw import RawCorpus

GRAVITY, CATS, DOGS, FISH = "Gravity pulls.", "Cats purr.", "Dogs bark.", "Fish swim."
DATA = Data(
    test="auto",
    held_out_queries=1000,
    train_labels="selected",
    overlap_queries="remove",
    overlap_positives="count",
    repair=False,
    cut="all",
    fraction=1.0,
    max_queries=0,
    query_column="query",
    document_column="document",
    label_column="label",
    positive_column="positive",
    negative_column="negative",
)
LOCAL = Download("local", folder="nowhere", format="auto", revision="main", name="scifact")
TRAIN = "train-00000-of-00001.parquet"
Rows = list[tuple[Any, ...]]


class Row(NamedTuple):
    """A query with its candidates, each a label and a text."""

    qid: int
    query: str
    candidates: Sequence[tuple[int, str | None]]


ROWS = {
    "train": [
        Row(1, " What is\u00a0gravity? ", [(1, GRAVITY), (0, CATS), (0, "Gravity  pulls.")]),
        Row(2, "why cats\x0bpurr", [(1, "  Cats \x1c purr."), (0, "")]),
        Row(3, "nobody knows", [(0, GRAVITY), (0, DOGS)]),
        Row(4, "Who WON?", [(1, DOGS)]),  # the test query 7, but for case
        Row(5, "withheld", [(-1, FISH), (-1, CATS)]),
        Row(8, " \x0b ", [(1, CATS)]),
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
LABELS = {
    ("What is gravity?", GRAVITY, 1),
    ("What is gravity?", CATS, 0),
    ("why cats purr", CATS, 1),
    ("do fish swim", FISH, 1),
    ("do fish swim", CATS, 1),
    ("who won?", DOGS, 1),
}
RELEVANT = {(query, passage) for query, passage, grade in LABELS if grade}
NO_FATE = {
    "cut": 0,
    "empty": 0,
    "unlabelled": 0,
    "without_positive": 0,
    "of_unused_split": 0,
    "repeated_in_other_split": 0,
    "positives_in_other_split": 0,
}
FOUND = {
    "train": {
        "queries": 6,
        **NO_FATE,
        "empty": 1,
        "unlabelled": 1,
        "without_positive": 1,
        "repeated_in_other_split": 1,
        "used_as_train": 2,
    },
    "dev": {"queries": 1, **NO_FATE, "used_as_dev": 1},
    "test": {"queries": 1, **NO_FATE, "used_as_test": 1},
}


def numbered() -> Iterator[tuple[str, Row, int, int, str]]:
    """Give split, row, label, pid (from 100 on) and text of each candidate."""
    pid = 100
    for split, rows in ROWS.items():
        for row in rows:
            for label, text in row.candidates:
                yield split, row, label, pid, text or ""
                pid += 1


def write_tsv(folder: Path, *, packed: bool = False) -> Path:
    """Write ROWS as passage ranking, each candidate with its own pid from 100 on."""
    folder.mkdir(exist_ok=True)
    lines = dict.fromkeys(("collection", *map("qrels.{}".format, ROWS)), "")
    for split, row, label, pid, text in numbered():
        lines["collection"] += f"{pid}\t{text}\n"
        lines[f"qrels.{split}"] += f"{row.qid}\t0\t{pid}\t{label}\n"
    for split, rows in ROWS.items():
        lines[f"queries.{split}"] = "".join(f"{row.qid}\t{row.query}\n" for row in rows)
    for name, text in lines.items():
        if packed:
            (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / f"{name}.tsv").write_bytes(text.encode())
    return folder


def write_beir(
    folder: Path, *, qid: str = "q{}", pid: str = "doc-{}", packed: bool = False
) -> Path:
    """Write ROWS as BEIR; the templates make the ids, "{}" alone gives whole numbers."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    texts, qrels = [], dict.fromkeys(ROWS, "query-id\tcorpus-id\tscore\n")
    for split, row, label, number, text in numbered():
        texts.append({"_id": pid.format(number), "title": "", "text": text, "metadata": {}})
        qrels[split] += f"{qid.format(row.qid)}\t{pid.format(number)}\t{label}\n"
    queries = [
        {"_id": qid.format(row.qid), "text": row.query, "metadata": {"url": "x"}}
        for rows in ROWS.values()
        for row in rows
    ]
    for name, objects in (("corpus", texts), ("queries", queries)):
        lines = "".join(f"{json.dumps(content)}\n" for content in objects).encode()
        if packed:
            (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines))
        else:
            (folder / f"{name}.jsonl").write_bytes(lines)
    for split, lines_of_split in qrels.items():
        (folder / "qrels" / f"{split}.tsv").write_text(lines_of_split, encoding="utf-8")
    return folder


def write_pairs(folder: Path, *, suffix: str = ".tsv") -> Path:
    """Write ROWS as labelled pairs: .tsv, .tsv.gz or .parquet."""
    folder.mkdir(exist_ok=True)
    for split, rows in ROWS.items():
        pairs = [(row.query, text or "", label) for row in rows for label, text in row.candidates]
        table = pl.DataFrame(pairs, ["query", "document", "label"], orient="row")
        path = folder / f"{split}{suffix}"
        if suffix == ".parquet":
            table.select("label", "document", "query").write_parquet(path)
            continue
        lines = ["query\tdocument\tlabel", *(f"{q}\t{d}\t{label}" for q, d, label in pairs)]
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
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


WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "qna": ("qna", write_qna),
    "tsv": ("passage-ranking", write_tsv),
    "tsv.gz": ("passage-ranking", partial(write_tsv, packed=True)),
    "beir with string ids": ("beir", write_beir),
    "beir with numbers": ("beir", partial(write_beir, qid="{}", pid="{}")),
    "beir with leading zeros": ("beir", partial(write_beir, qid="00{}", pid="0{}")),
    "beir.gz": ("beir", partial(write_beir, packed=True)),
    "pairs.tsv": ("pairs", write_pairs),
    "pairs.tsv.gz": ("pairs", partial(write_pairs, suffix=".tsv.gz")),
    "pairs.parquet": ("pairs", partial(write_pairs, suffix=".parquet")),
}
"""Each way to write ROWS: its format, and what writes it into a folder."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Give every file below a folder by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def zipped(folder: Path, path: Path, *, top: str = "") -> Path:
    """Pack a folder as .zip; top: a folder in front of every member, as `scifact/`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if top:
            archive.writestr(top, b"")
        for name, content in files_of(folder).items():
            archive.writestr(top + name, content)
    return path


def tarred(folder: Path, path: Path, *, top: str = "") -> Path:
    """Pack a folder as .tar, or .tar.gz by its name; top: as in `zipped`."""
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for inner in sorted(folder.rglob("*")):
            archive.add(inner, top + inner.relative_to(folder).as_posix(), recursive=False)
    return path


def raw(passages: Rows, queries: Rows, qrels: Rows) -> RawCorpus:
    """Tables of (pid, text), (qid, text, split), (qid, pid, grade)."""
    text, whole = pl.String, pl.Int64
    return RawCorpus(
        pl.DataFrame(passages, {"pid": whole, "text": text}, orient="row"),
        pl.DataFrame(queries, {"qid": whole, "text": text, "split": text}, orient="row"),
        pl.DataFrame(qrels, {"qid": whole, "pid": whole, "grade": pl.Int32}, orient="row"),
    )


def build(given: RawCorpus, *, seed: int = 20, **changes: Any) -> Corpus:
    """Build the canonical corpus, with changes to DATA."""
    return corpus.build(given, dataclasses.replace(DATA, **changes), seed, smoke=False)


def queries_of(built: Corpus) -> set[tuple[str, str]]:
    """Give (text, split) of every query."""
    return set(built.queries.select("text", "split").rows())


def labels_of(built: Corpus) -> set[tuple[str, str, int]]:
    """Give (query text, passage text, grade) of every label."""
    query = dict(built.queries.select("qid", "text").rows())
    passage = dict(built.passages.select("pid", "text").rows())
    rows = built.qrels.select("qid", "pid", "grade").rows()
    return {(query[qid], passage[pid], grade) for qid, pid, grade in rows}


def relevant_of(built: Corpus) -> set[tuple[str, str]]:
    """Give (query text, passage text) of every relevant pair."""
    return {(query, passage) for query, passage, grade in labels_of(built) if grade >= 1}
