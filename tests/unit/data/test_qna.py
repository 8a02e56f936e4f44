"""The hub's QnA Parquet: labels, shards, and tables in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_corpus import (
    CATS,
    DATA,
    DOGS,
    NO_FATE,
    PASSAGES,
    QUERIES,
    ROWS,
    TRAIN,
    Row,
    build,
    labels_of,
    queries_of,
    relevant_of,
    table,
    write_qna,
)

from twotower.data import readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError


def read(folder: Path) -> RawCorpus:
    return readers.read(folder, "qna", DATA)


def test_every_candidate_is_a_qrel_with_its_label(tmp_path: Path) -> None:
    raw = read(write_qna(tmp_path))
    assert raw.qrels.filter(qid=5)["grade"].to_list() == [-1, -1]
    assert raw.qrels.filter(qid=1)["grade"].to_list() == [1, 0, 0]
    assert raw.qrels["pid"].to_list() == list(range(15))


def test_withheld_labels_are_counted_and_never_relevant(tmp_path: Path) -> None:
    built = build(read(write_qna(tmp_path)))
    assert built.counts["found"]["train"]["unlabelled"] == 1
    assert 5 not in built.qrels["qid"]


def test_only_is_selected_1_is_relevant(tmp_path: Path) -> None:
    write_qna(tmp_path)
    candidates: list[tuple[Any, str | None]] = [(1, "b"), (0, "c"), (-1, "d"), (None, "e")]
    pq.write_table(table([Row(1, "q", candidates)]), tmp_path / TRAIN)
    labels = {
        (text, grade) for query, text, grade in labels_of(build(read(tmp_path))) if query == "q"
    }
    assert labels == {("b", 1), ("c", 0)}


def test_a_row_whose_every_label_is_missing_has_no_positive(tmp_path: Path) -> None:
    write_qna(tmp_path)
    missing: list[tuple[Any, str | None]] = [(None, CATS), (None, DOGS)]
    pq.write_table(table([*ROWS["train"], Row(9, "q", missing)]), tmp_path / TRAIN)
    ends = build(read(tmp_path)).counts["found"]["train"]
    assert (ends["unlabelled"], ends["without_positive"]) == (1, 2)


def test_the_split_is_the_names_first_part(tmp_path: Path) -> None:
    write_qna(tmp_path)
    (tmp_path / TRAIN).rename(tmp_path / "qna-train.parquet")
    pq.write_table(table([Row(90, "pets", [(1, CATS)])]), tmp_path / "dl19-00000-of-00001.parquet")
    built = build(read(tmp_path))
    assert queries_of(built) == QUERIES | {("pets", "dl19")}


def test_a_row_may_have_no_candidates(tmp_path: Path) -> None:
    write_qna(tmp_path)
    pq.write_table(table([*ROWS["train"], Row(9, "alone", [])]), tmp_path / TRAIN)
    built = build(read(tmp_path))
    assert built.counts["found"]["train"]["without_positive"] == 2
    assert set(built.passages["text"]) == PASSAGES
    assert built.counts["passages"]["found"] == 15


def test_a_row_may_have_nothing_for_candidates(tmp_path: Path) -> None:
    write_qna(tmp_path)
    rows = pq.read_table(tmp_path / TRAIN)["passages"].to_pylist()
    replace_column(tmp_path / TRAIN, "passages", pa.array([*rows[:2], None, *rows[3:]]))
    built = build(read(tmp_path))
    assert built.counts["found"]["train"]["without_positive"] == 1
    assert built.counts["passages"]["found"] == 13
    assert queries_of(built) == QUERIES


def test_a_missing_text_in_a_list_is_an_empty_passage(tmp_path: Path) -> None:
    write_qna(tmp_path)
    rows = table([Row(1, "q", [(1, CATS)]), Row(2, "r", [(1, None), (0, "x")])])
    pq.write_table(rows, tmp_path / TRAIN)
    counts = build(read(tmp_path)).counts
    assert counts["found"]["train"] == {
        "queries": 2,
        **NO_FATE,
        "without_positive": 1,
        "used_as_train": 1,
    }
    assert counts["passages"]["empty"] == 2  # this one, and test's
    assert counts["passages"]["positives_empty"] == 2


def test_shards_are_one_table(tmp_path: Path) -> None:
    write_qna(tmp_path)
    whole = build(read(tmp_path))
    rows = pq.read_table(tmp_path / TRAIN)
    (tmp_path / TRAIN).unlink()
    for number, start in enumerate(range(0, 6, 2)):
        path = tmp_path / f"train-0000{number}-of-00003.parquet"
        pq.write_table(rows.slice(start, 2), path, row_group_size=1)
    shards = build(read(tmp_path))
    assert shards.passages.rows() == whole.passages.rows()
    assert shards.qrels.rows() == whole.qrels.rows()
    assert shards.counts == whole.counts


def test_an_id_of_two_files_is_named_with_both(tmp_path: Path) -> None:
    write_qna(tmp_path)
    pq.write_table(table([Row(3, "once more", [(1, CATS)])]), tmp_path / "dl19.parquet")
    with pytest.raises(DataError, match=r"qid 3 stands there more than once .* dl19 and train"):
        read(tmp_path)


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.uint32()])
def test_ids_may_be_any_whole_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    write_qna(tmp_path)
    replace_column(tmp_path / TRAIN, "query_id", pa.array([1, 2, 3, 4, 5, 8]).cast(kind))
    assert queries_of(build(read(tmp_path))) == QUERIES


def replace_column(path: Path, name: str, values: Any) -> None:
    rows = pq.read_table(path)
    pq.write_table(rows.set_column(rows.column_names.index(name), name, values), path)


def struct(labels: list[Any] | None, texts: list[Any] | None) -> pa.Array:
    """Six rows of passages that all have these."""
    return pa.array([{"is_selected": labels, "passage_text": texts}] * 6)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("query_id", pa.array([1, 2.5, 3, 4, 5, 6]), "query_id holds fractions"),
        ("query_id", pa.array(["1", "2", "x3", "4", "5", "6"]), r"expected query_id \(whole.*x3"),
        ("query_id", pa.array([1, None, 3, 4, 5, 6]), r"row 2 of 6 \(query_id None\)"),
        ("query_id", pa.array([1, 2, 3, 2, 5, 6]), r"qid 2 stands .* \(rows 2 and 4\)"),
        ("query", pa.array(["a", "b", None, "d", "e", "f"]), r"row 3 of 6 \(query_id 3\)"),
        ("passages", pa.array(["a"] * 6), "passages String"),
        ("passages", pa.array([[{"is_selected": 1}]] * 6), "passages List"),
        ("passages", pa.array([{"is_selected": [1]}] * 6), "found .*: passage_text"),
        ("passages", pa.array([{"is_selected": 1, "passage_text": "a"}] * 6), "a struct of lists"),
        ("passages", struct([0.9], ["a"]), "a struct of lists .*: is_selected cannot be read so"),
        ("passages", struct([1], [{"text": "a"}]), "passage_text cannot be read so"),
        ("passages", struct([2], ["a"]), r"row 1 of 6 \(query_id 1\): is_selected holds a label"),
        ("query", pa.array([["a"]] * 6), "query cannot be read so"),
        ("query", pa.array([{"text": "a"}] * 6), "query cannot be read so"),
        ("passages", struct([1, 0], ["a"]), r"row 1 of 6 \(query_id 1\)"),
        ("passages", struct(None, ["a"]), r"row 1 of 6 \(query_id 1\)"),
        ("passages", struct([1], None), r"row 1 of 6 \(query_id 1\)"),
    ],
)
def test_columns_in_another_form(tmp_path: Path, column: str, values: Any, message: str) -> None:
    write_qna(tmp_path)
    replace_column(tmp_path / TRAIN, column, values)
    with pytest.raises(DataError, match=rf"{TRAIN}.*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("column", ["query_id", "query", "passages"])
def test_a_missing_column(tmp_path: Path, column: str) -> None:
    write_qna(tmp_path)
    pq.write_table(table(ROWS["train"]).drop_columns([column]), tmp_path / TRAIN)
    with pytest.raises(DataError, match=f"{TRAIN}: no column {column}; found answers, "):
        read(tmp_path)


def test_a_field_named_as_a_column_does_no_harm(tmp_path: Path) -> None:
    write_qna(tmp_path)
    passages = [{"is_selected": [1], "passage_text": [CATS], "query": "other"}] * 6
    replace_column(tmp_path / TRAIN, "passages", pa.array(passages))
    built = build(read(tmp_path))
    assert ("why cats purr", CATS) in relevant_of(built)
