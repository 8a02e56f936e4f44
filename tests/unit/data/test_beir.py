"""BEIR's files: ids of every kind, titles, scores, and queries that no qrels file names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from small_corpus import DATA, NO_FATE, WRITERS, build, labels_of, queries_of, write_beir

from twotower.data import beir, readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError

HEADER = "query-id\tcorpus-id\tscore\n"
Objects = list[dict[str, Any]]


def write(folder: Path, texts: Objects, queries: Objects, qrels: dict[str, str]) -> Path:
    """Write a set; qrels are lines without their header, by split."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, objects in (("corpus", texts), ("queries", queries)):
        lines = "".join(f"{json.dumps(content)}\n" for content in objects)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    for split, lines in qrels.items():
        (folder / "qrels" / f"{split}.tsv").write_text(HEADER + lines, encoding="utf-8")
    return folder


def of_ids(folder: Path, pids: list[Any], qids: list[Any]) -> RawCorpus:
    """Read a set with these ids; query i is of passage i."""
    texts = [{"_id": pid, "text": f"text {i}"} for i, pid in enumerate(pids)]
    queries = [{"_id": qid, "text": f"query {i}"} for i, qid in enumerate(qids)]
    lines = [f"{qid}\t{pid}\t1\n" for qid, pid in zip(qids, pids, strict=True)]
    return readers.read(write(folder, texts, queries, {"train": "".join(lines)}), "beir", DATA)


@pytest.mark.parametrize(
    "ids",
    [
        ["7", "5", "123"],
        ["0", "-4", "9223372036854775807"],
        [7, 5, 123],  # numbers of JSON, not texts
        [7, "5", 123],
    ],
)
def test_whole_numbers_are_kept_as_they_are(tmp_path: Path, ids: list[Any]) -> None:
    raw = of_ids(tmp_path, ids, ids)
    assert raw.passages["pid"].to_list() == raw.queries["qid"].to_list() == [int(i) for i in ids]
    assert raw.qrels.rows() == [(int(i), int(i), 1) for i in ids]
    assert raw.passages.columns == ["pid", "text"]


@pytest.mark.parametrize(
    "ids",
    [
        ["007", "7", "70"],  # two that would be one number
        ["1", "2", "x3"],
        ["1", "2", "3.0"],
        ["1", "2", "+3"],
        ["1", "2", "-0"],
        ["1", "2", "9223372036854775808"],  # beyond int64
        ["1", "2", "٣"],
        ["1", "2", " 3"],
        ["1e3", "a b", "ünï"],
        ["PLAIN-1", "MED-10", ""],
    ],
)
def test_other_ids_are_kept_beside_numbers_of_ours(tmp_path: Path, ids: list[str]) -> None:
    raw = of_ids(tmp_path, ids, ids)
    assert raw.passages.rows() == [(i, f"text {i}", own) for i, own in enumerate(ids)]
    assert raw.queries["qid"].to_list() == [0, 1, 2]
    assert raw.queries["source_id"].to_list() == raw.passages["source_id"].to_list() == ids
    assert raw.qrels.rows() == [(i, i, 1) for i in range(3)]


def test_passages_and_queries_may_have_ids_of_different_kinds(tmp_path: Path) -> None:
    raw = of_ids(tmp_path, ["d1", "d2"], ["8", "9"])
    assert "source_id" in raw.passages.columns
    assert raw.queries.columns == ["qid", "text", "split"]
    assert raw.qrels.rows() == [(8, 0, 1), (9, 1, 1)]


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Gravity", "It pulls.", "Gravity It pulls."),
        ("", "It pulls.", "It pulls."),
        ("Gravity", "", "Gravity"),
        ("", "", ""),
        (None, "It pulls.", "It pulls."),
        (5, 6, "5 6"),
        ("", " a\n", "a\n"),
        ("Line\nbreak", 'a\tb \\ "q" \u2028 \ud83d\ude00', 'Line\nbreak a\tb \\ "q" \u2028 😀'),
    ],
)
def test_a_passage_is_title_and_text(tmp_path: Path, title: Any, text: Any, expected: str) -> None:
    write(
        tmp_path,
        [{"_id": "1", "title": title, "text": text}],
        [{"_id": "1", "text": "q"}],
        {"train": "1\t1\t1\n"},
    )
    assert readers.read(tmp_path, "beir", DATA).passages["text"].to_list() == [expected]


def test_a_title_may_be_missing_from_some_or_all(tmp_path: Path) -> None:
    texts = [{"_id": "1", "text": "a"}, {"_id": "2", "text": "b", "title": "T"}]
    write(tmp_path, texts, [{"_id": "1", "text": "q"}], {"train": "1\t1\t1\n"})
    assert readers.read(tmp_path, "beir", DATA).passages["text"].to_list() == ["a", "T b"]


def graded(folder: Path) -> Path:
    """Scores of 2 and above, 0 and -1, and queries that no file names."""
    texts = [{"_id": f"d{i}", "text": f"text {i}"} for i in range(4)]
    queries = [{"_id": f"q{i}", "text": f"query {i}"} for i in range(8)]
    qrels = {
        "train": "q0\td0\t1\nq1\td1\t-1\n",
        "dev": "q2\td2\t1\nq2\td3\t-1\n",
        "test": "q3\td0\t3\nq3\td1\t2\nq3\td2\t0\nq4\td1\t0\nq5\td1\t-1\nq5\td2\t-1\n",
    }
    return write(folder, texts, queries, qrels)


def test_scores_are_grades_and_unnamed_queries_are_counted(tmp_path: Path) -> None:
    built = build(readers.read(graded(tmp_path), "auto", DATA))
    assert labels_of(built) == {
        ("query 0", "text 0", 1),
        ("query 2", "text 2", 1),
        ("query 3", "text 0", 3),
        ("query 3", "text 1", 2),
        ("query 3", "text 2", 0),
    }
    assert built.counts["found"] == {
        "train": {"queries": 2, **NO_FATE, "unlabelled": 1, "used_as_train": 1},
        "dev": {"queries": 1, **NO_FATE, "used_as_dev": 1},
        "test": {
            "queries": 3,
            **NO_FATE,
            "unlabelled": 1,
            "without_positive": 1,
            "used_as_test": 1,
        },
        beir.UNASKED: {"queries": 2, **NO_FATE, "without_positive": 2},
    }
    assert built.queries.filter(split="test")["source_id"].to_list() == ["q3"]


def test_a_set_of_test_alone_cannot_be_trained_on(tmp_path: Path) -> None:
    graded(tmp_path)
    for split in ("train", "dev"):
        (tmp_path / "qrels" / f"{split}.tsv").unlink()
    with pytest.raises(DataError, match=r"no split train; splits found: unjudged, test"):
        build(readers.read(tmp_path, "auto", DATA))


def test_dev_is_held_out_of_a_set_of_train_and_test(tmp_path: Path) -> None:
    """As scifact is."""
    texts = [{"_id": str(i), "text": f"text {i}"} for i in range(30)]
    queries = [{"_id": str(i), "text": f"query {i}"} for i in range(30)]
    lines = [f"{i}\t{i}\t1\n" for i in range(30)]
    write(tmp_path, texts, queries, {"train": "".join(lines[:20]), "test": "".join(lines[20:])})
    built = build(readers.read(tmp_path, "auto", DATA))
    assert built.queries["split"].value_counts().sort("count").rows() == [
        ("dev", 4),
        ("test", 10),
        ("train", 16),
    ]


def test_a_query_of_two_qrels_files_is_named_by_the_sets_own_id(tmp_path: Path) -> None:
    with (graded(tmp_path) / "qrels" / "test.tsv").open("a") as file:
        file.write("q2\td1\t1\n")
    with pytest.raises(DataError, match=r"source_id q2 stands .* in dev and test"):
        build(readers.read(tmp_path, "auto", DATA))


def test_a_header_may_have_other_names_and_line_ends(tmp_path: Path) -> None:
    graded(tmp_path)
    content = "\ufeffqid\tpid\trelevance\r\nq2\td2\t1\r\n"
    (tmp_path / "qrels" / "dev.tsv").write_text(content, encoding="utf-8", newline="")
    raw = readers.read(tmp_path, "auto", DATA)
    assert raw.queries.filter(split="dev")["source_id"].to_list() == ["q2"]


def test_the_hubs_validation_is_dev(tmp_path: Path) -> None:
    graded(tmp_path)
    (tmp_path / "qrels" / "dev.tsv").rename(tmp_path / "qrels" / "validation.tsv")
    assert ("query 2", "dev") in queries_of(build(readers.read(tmp_path, "auto", DATA)))


def test_only_the_top_folder_and_qrels_are_looked_at(tmp_path: Path) -> None:
    write_beir(tmp_path)
    (tmp_path / "old" / "qrels").mkdir(parents=True)
    (tmp_path / "old" / "corpus.jsonl").write_text("x")
    (tmp_path / "old" / "qrels" / "train.tsv").write_text("x")
    (tmp_path / "qrels" / "deeper").mkdir()
    (tmp_path / "qrels" / "notes.md").write_text("x")
    names = [path.relative_to(tmp_path).as_posix() for path in beir.files(tmp_path)]
    assert names == [
        "corpus.jsonl",
        "qrels/test.tsv",
        "qrels/train.tsv",
        "qrels/validation.tsv",
        "queries.jsonl",
    ]


def test_numbers_are_the_same_whatever_the_ids(tmp_path: Path) -> None:
    """Ids decide nothing but their own spelling."""
    names = [name for name, (form, _) in WRITERS.items() if form == "beir"]
    built = [build(readers.read(WRITERS[name][1](tmp_path / name), "beir", DATA)) for name in names]
    for other in built[1:]:
        assert other.counts == built[0].counts
        assert other.queries["text"].to_list() == built[0].queries["text"].to_list()
    assert built[0].queries.schema["source_id"] == pl.String
