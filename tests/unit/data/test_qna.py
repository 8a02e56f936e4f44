"""The hub's QnA Parquet: same corpus as from TSV, labels, and tables in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_corpus import (
    CATS,
    PASSAGES,
    QUERIES,
    RELEVANT,
    ROWS,
    Row,
    queries_of,
    relevant_of,
    table,
    write_qna,
    write_tsv,
)

from twotower.data import corpus, readers
from twotower.errors import DataError

TRAIN = "train-00000-of-00001.parquet"


def test_the_hubs_files_give_the_corpus(tmp_path: Path) -> None:
    built = corpus.build(readers.read(write_qna(tmp_path), "auto"), smoke=False)
    assert set(built.passages["text"]) == PASSAGES
    assert queries_of(built) == QUERIES
    assert relevant_of(built) == RELEVANT


def test_both_formats_count_alike(tmp_path: Path) -> None:
    folders = {"qna": write_qna(tmp_path / "q"), "passage-ranking": write_tsv(tmp_path / "t")}
    counts = [
        corpus.build(readers.read(folder, name), smoke=False).counts
        for name, folder in folders.items()
    ]
    assert counts[0].pop("queries_unlabelled") == 1  # only the hub's files can tell
    assert counts[0] == counts[1]


def test_withheld_labels_are_counted_and_never_relevant(tmp_path: Path) -> None:
    raw = readers.read(write_qna(tmp_path), "qna")
    assert raw.counts == {"queries_unlabelled": 1}
    assert 5 not in raw.qrels["qid"]


def test_only_is_selected_1_is_relevant(tmp_path: Path) -> None:
    write_qna(tmp_path)
    pq.write_table(
        table([Row(1, "q", [(2, "a"), (1, "b"), (0, "c"), (-1, "d")])]), tmp_path / TRAIN
    )
    built = corpus.build(readers.read(tmp_path, "qna"), smoke=False)
    assert {passage for query, passage in relevant_of(built) if query == "q"} == {"b"}


def test_the_split_is_the_names_first_part(tmp_path: Path) -> None:
    write_qna(tmp_path)
    (tmp_path / TRAIN).rename(tmp_path / "qna-train.parquet")
    pq.write_table(table([Row(90, "pets", [(1, CATS)])]), tmp_path / "dl19-00000-of-00001.parquet")
    built = corpus.build(readers.read(tmp_path, "auto"), smoke=False)
    assert queries_of(built) == QUERIES | {("pets", "dl19")}


def test_a_row_may_have_no_candidates(tmp_path: Path) -> None:
    write_qna(tmp_path)
    pq.write_table(table([*ROWS["train"], Row(8, "alone", [])]), tmp_path / TRAIN)
    built = corpus.build(readers.read(tmp_path, "qna"), smoke=False)
    assert built.counts["splits"]["train"]["queries_without_positive"] == 3
    assert set(built.passages["text"]) == PASSAGES


def test_a_missing_text_in_a_list_is_no_passage(tmp_path: Path) -> None:
    write_qna(tmp_path)
    rows = table([Row(1, "q", [(1, CATS)]), Row(2, "r", [(1, None), (0, "x")])])
    pq.write_table(rows, tmp_path / TRAIN)
    built = corpus.build(readers.read(tmp_path, "qna"), smoke=False)
    assert built.counts["splits"]["train"]["queries_without_positive"] == 1


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.uint32()])
def test_ids_may_be_any_whole_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    write_qna(tmp_path)
    replace_column(tmp_path / TRAIN, "query_id", pa.array([1, 2, 3, 4, 5]).cast(kind))
    assert queries_of(corpus.build(readers.read(tmp_path, "qna"), smoke=False)) == QUERIES


def replace_column(path: Path, name: str, values: Any) -> None:
    rows = pq.read_table(path)
    pq.write_table(rows.set_column(rows.column_names.index(name), name, values), path)


def struct(labels: list[Any], texts: list[Any]) -> pa.Array:
    """Five rows of passages that all have these."""
    return pa.array([{"is_selected": labels, "passage_text": texts}] * 5)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("query_id", pa.array([1, 2.5, 3, 4, 5]), "query_id holds fractions"),
        ("query_id", pa.array(["1", "2", "x3", "4", "5"]), r"expected query_id \(whole.*x3"),
        ("query_id", pa.array([1, None, 3, 4, 5]), r"row 2 of 5 \(query_id None\)"),
        ("query_id", pa.array([1, 2, 3, 2, 5]), "qid 2 stands there more than once"),
        ("query", pa.array(["a", "b", None, "d", "e"]), r"row 3 of 5 \(query_id 3\)"),
        ("passages", pa.array(["a"] * 5), "passages String"),
        ("passages", pa.array([[{"is_selected": 1}]] * 5), "passages List"),
        ("passages", pa.array([{"is_selected": [1]}] * 5), "found .*: passage_text"),
        ("passages", pa.array([{"is_selected": 1, "passage_text": "a"}] * 5), "a struct of lists"),
        ("passages", struct([1, 0], ["a"]), r"row 1 of 5 \(query_id 1\)"),
        ("passages", struct(None, ["a"]), r"row 1 of 5 \(query_id 1\)"),
        ("passages", struct([1], None), r"row 1 of 5 \(query_id 1\)"),
    ],
)
def test_columns_in_another_form(tmp_path: Path, column: str, values: Any, message: str) -> None:
    write_qna(tmp_path)
    replace_column(tmp_path / TRAIN, column, values)
    with pytest.raises(DataError, match=rf"{TRAIN}.*{message}"):
        readers.read(tmp_path, "qna")


@pytest.mark.parametrize("column", ["query_id", "query", "passages"])
def test_a_missing_column(tmp_path: Path, column: str) -> None:
    write_qna(tmp_path)
    pq.write_table(table(ROWS["train"]).drop_columns([column]), tmp_path / TRAIN)
    with pytest.raises(DataError, match=f"{TRAIN}: no column {column}; found answers, "):
        readers.read(tmp_path, "qna")


def test_a_field_named_as_a_column_does_no_harm(tmp_path: Path) -> None:
    write_qna(tmp_path)
    passages = [{"is_selected": [1], "passage_text": [CATS], "query": "other"}] * 5
    replace_column(tmp_path / TRAIN, "passages", pa.array(passages))
    built = corpus.build(readers.read(tmp_path, "qna"), smoke=False)
    assert ("why cats purr", CATS) in relevant_of(built)
