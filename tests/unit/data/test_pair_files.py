"""Labelled pairs and triplets: columns by their names, splits by the file's, Parquet's types."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_corpus import DATA, build, labels_of, queries_of, write_pairs

from twotower.data import pairs, readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError

HEADER = "query\tdocument\tlabel\n"
PAIR = {"query": ["q"], "document": ["d"], "label": [1]}


def read(folder: Path, **changes: Any) -> RawCorpus:
    return readers.read(folder, "pairs", dataclasses.replace(DATA, **changes))


def read_tsv(folder: Path, content: str, name: str = "train.tsv", **changes: str) -> RawCorpus:
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return read(folder, **changes)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.tsv", "train"),
        ("train-00000-of-00002.tsv", "train"),
        ("mine.tsv", "train"),  # alone
        ("a.b-c.tsv", "train"),
        ("dev.tsv", "dev"),
        ("validation.tsv", "dev"),
        ("test-set.tsv", "test"),
    ],
)
def test_the_split_of_a_file(tmp_path: Path, name: str, split: str) -> None:
    assert read_tsv(tmp_path, HEADER + "q\td\t1\n", name).queries["split"].to_list() == [split]


def test_the_splits_of_several_files(tmp_path: Path) -> None:
    for name in ("train-0.tsv", "train-1.tsv", "mine.tsv", "dl19.tsv"):
        (tmp_path / name).write_text(f"{HEADER}of {name}\td\t1\n")
    assert dict(read(tmp_path).queries.select("text", "split").rows()) == {
        "of train-0.tsv": "train",
        "of train-1.tsv": "train",
        "of mine.tsv": "mine",
        "of dl19.tsv": "dl19",
    }


def test_equal_texts_are_one_passage_and_of_a_split_one_query(tmp_path: Path) -> None:
    read_tsv(tmp_path, f"{HEADER}q\td\t1\nq\te\t0\nQ\td\t1\nq\td\t0\n")
    raw = read_tsv(tmp_path, f"{HEADER}q\td\t1\n", "test.tsv")
    assert raw.passages["text"].to_list() == ["d", "e"]
    assert raw.queries.select("text", "split").rows() == [
        ("q", "test"),
        ("q", "train"),
        ("Q", "train"),
    ]
    assert raw.qrels.rows() == [(0, 0, 1), (1, 0, 1), (1, 1, 0), (2, 0, 1), (1, 0, 0)]


def test_columns_by_their_names(tmp_path: Path) -> None:
    names = {"query_column": "frage", "document_column": "query", "label_column": "gut"}
    content = "id\tquery\tgut\tfrage\n7\ta text\t1\ta question\n"
    raw = read_tsv(tmp_path, content, **names)
    assert raw.queries["text"].to_list() == ["a question"]
    assert raw.passages["text"].to_list() == ["a text"]
    names = {"query_column": "frage", "positive_column": "ja", "negative_column": "nein"}
    raw = read_tsv(tmp_path, "nein\tfrage\tja\nn\tq\tp\n", **names)
    assert raw.passages["text"].to_list() == ["p", "n"]
    assert raw.qrels["grade"].to_list() == [1, 0]


def test_pairs_come_before_triplets_where_both_could_be_read(tmp_path: Path) -> None:
    content = "query\tdocument\tlabel\tpositive\tnegative\nq\td\t-1\tp\tn\n"
    raw = read_tsv(tmp_path, content)
    assert raw.passages["text"].to_list() == ["d"]
    assert raw.qrels["grade"].to_list() == [-1]


def test_files_may_be_of_different_kinds(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"label": [1], "document": ["d"], "query": ["q"]}), tmp_path / "dev.parquet"
    )
    (tmp_path / "test.tsv").write_text("query\tpositive\tnegative\nr\td\te\n")
    write_pairs(tmp_path, suffix=".tsv.gz")
    (tmp_path / "validation.tsv.gz").unlink()
    (tmp_path / "test.tsv.gz").unlink()
    built = build(read(tmp_path))
    assert {("q", "dev"), ("r", "test"), ("why cats purr", "train")} < queries_of(built)
    assert {("q", "d", 1), ("r", "d", 1), ("r", "e", 0)} < labels_of(built)


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "q\td\t1\n",
        HEADER + "q\td\t1",
        (HEADER + "q\td\t1\n").replace("\n", "\r\n"),
        "\ufeff" + HEADER + "q\td\t1\n",
        HEADER + "q\td\t +1 \n",
        '\tquery\t"x\tdocument\tlabel\n0\tq\t"\td\t1\n',  # a column without a name, and quotes
    ],
)
def test_forms_of_the_same_pair(tmp_path: Path, content: str) -> None:
    raw = read_tsv(tmp_path, content)
    assert (raw.queries["text"][0], raw.passages["text"][0], raw.qrels["grade"][0]) == ("q", "d", 1)


def test_texts_stand_as_they_are(tmp_path: Path) -> None:
    raw = read_tsv(tmp_path, HEADER + '"q\t d""\x0b\r \t1\n\tNA\t0\n')
    assert raw.queries["text"].to_list() == ['"q', ""]
    assert raw.passages["text"].to_list() == [' d""\x0b\r ', "NA"]


@pytest.mark.parametrize("name", ["train[1].tsv", "tr*in.tsv", "train?.tsv", "ünï 水.tsv"])
def test_names_are_no_patterns(tmp_path: Path, name: str) -> None:
    assert read_tsv(tmp_path, HEADER + "q\td\t1\n", name).queries["text"].to_list() == ["q"]
    path = (tmp_path / name).with_suffix(".parquet")
    (tmp_path / name).unlink()
    pq.write_table(pa.table(PAIR), path)
    assert read(tmp_path).queries["text"].to_list() == ["q"]
    assert readers.choose(tmp_path, "auto") == "pairs"


@pytest.mark.parametrize(
    "name", ["queries.train.tsv", "qrels.test.tsv.gz", "queries.tsv", "a/b.tsv"]
)
def test_files_of_other_formats_are_no_pairs(name: str) -> None:
    assert not pairs.is_part(name)


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("label", pa.array([1], pa.int8()), "1"),
        ("label", pa.array([1.0]), "1"),
        ("label", pa.array([True]), "1"),
        ("label", pa.array(["-1"]), "-1"),
        ("query", pa.array([5]), "5"),
        ("query", pa.array(["a"], pa.large_string()), "a"),
        ("document", pa.array(["a"]).dictionary_encode(), "a"),
        ("document", pa.array(["é".encode()]), "é"),
    ],
)
def test_types_of_parquet(tmp_path: Path, column: str, values: Any, expected: str) -> None:
    pq.write_table(pa.table({**PAIR, column: values}), tmp_path / "train.parquet")
    raw = read(tmp_path)
    found = {
        "query": raw.queries["text"],
        "document": raw.passages["text"],
        "label": raw.qrels["grade"],
    }
    assert str(found[column][0]) == expected


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
@pytest.mark.parametrize(
    "changes",
    [
        {"query_column": "document"},
        {"label_column": "query"},
        {"query_column": "label", "document_column": "label"},
    ],
)
def test_two_names_for_one_column(tmp_path: Path, suffix: str, changes: dict[str, str]) -> None:
    write_pairs(tmp_path, suffix=suffix)
    with pytest.raises(DataError, match=r"data\.query_column .* must name three columns of test"):
        read(tmp_path, **changes)


def test_the_names_that_are_missing_are_told(tmp_path: Path) -> None:
    write_pairs(tmp_path)
    message = (
        r"test\.tsv: expected columns q, document, label \(pairs\) or q, positive, negative .*"
    )
    with pytest.raises(
        DataError, match=message + "found query, document, label; data.query_column"
    ):
        read(tmp_path, query_column="q")
