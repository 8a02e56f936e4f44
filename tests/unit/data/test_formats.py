"""Every format gives the same corpus: as a folder, a zip and a tar, named and found out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from small_corpus import (
    DATA,
    FOUND,
    LABELS,
    PASSAGES,
    QUERIES,
    WRITERS,
    build,
    labels_of,
    queries_of,
    tarred,
    write_beir,
    write_pairs,
    write_qna,
    write_tsv,
    zipped,
)

from twotower.data import local, readers
from twotower.errors import DataError

CONTAINERS: dict[str, Callable[[Path, Path], Path]] = {
    "folder": lambda folder, _at: folder,
    "zip": lambda folder, at: zipped(folder, at / "small.zip"),
    "zip with a top folder": lambda folder, at: zipped(folder, at / "small.ZIP", top="small/"),
    "tar.gz": lambda folder, at: tarred(folder, at / "small.tar.gz"),
    "tgz with a top folder": lambda folder, at: tarred(
        folder, at / "small.tgz", top="./sets/small/"
    ),
    "tar": lambda folder, at: tarred(folder, at / "small.tar"),
}
PASSAGE_COUNTS = {
    "found": 15,
    "cut": 0,
    "empty": 2,
    "repeated": 9,
    "kept": 4,
    "not_ascii": 0,
    "with_letters_not_latin": 0,
    "repaired": 0,
    "positives_empty": 1,
    "qrels_repeated": 1,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", WRITERS)
def test_the_corpus_is_the_same(tmp_path: Path, name: str, container: str) -> None:
    form, write = WRITERS[name]
    given, copied = CONTAINERS[container](write(tmp_path / "given"), tmp_path), tmp_path / "copied"
    copied.mkdir()
    local.fetch(given, "auto", copied)
    assert readers.choose(copied, "auto") == form
    built = build(readers.read(copied, form, DATA))
    assert set(built.passages["text"]) == PASSAGES
    assert len(built.passages) == len(PASSAGES)
    assert queries_of(built) == QUERIES
    assert len(built.queries) == len(QUERIES)
    assert labels_of(built) == LABELS
    assert len(built.qrels) == len(LABELS)
    # Texts have no ids among pairs: those that are equal but for blanks are one from the start.
    merged = {"found": 5, "repeated": 0, "empty": 1} if form == "pairs" else {}
    assert built.counts["passages"] == PASSAGE_COUNTS | merged
    assert built.counts["found"] == FOUND


@pytest.mark.parametrize("name", WRITERS)
def test_used_splits_are_counted_alike(tmp_path: Path, name: str) -> None:
    form, write = WRITERS[name]
    splits = build(readers.read(write(tmp_path), form, DATA)).counts["splits"]
    one = {"queries": 1, "queries_in_other_split": 0, "queries_not_ascii": 0}
    one |= {"queries_with_letters_not_latin": 0, "positives_a_query_max": 1}
    assert splits == {
        "train": {
            **one,
            "queries": 2,
            "qrels": 3,
            "positives": 2,
            "positives_different": 2,
            "positives_a_query_mean": 1.0,
            "queries_by_positives": {"1": 2, "2": 0, "3": 0, "4+": 0},
            "grades": {"1": 2},
        },
        "dev": {
            **one,
            "qrels": 2,
            "positives": 2,
            "positives_different": 2,
            "positives_a_query_mean": 2.0,
            "positives_a_query_max": 2,
            "queries_by_positives": {"1": 0, "2": 1, "3": 0, "4+": 0},
            "grades": {"1": 2},
            "positives_seen_in_training": 1,  # cats
        },
        "test": {
            **one,
            "qrels": 1,
            "positives": 1,
            "positives_different": 1,
            "positives_a_query_mean": 1.0,
            "queries_by_positives": {"1": 1, "2": 0, "3": 0, "4+": 0},
            "grades": {"1": 1},
            "positives_seen_in_training": 0,
        },
    }


@pytest.mark.parametrize("name", WRITERS)
def test_tables_have_their_types(tmp_path: Path, name: str) -> None:
    form, write = WRITERS[name]
    raw = readers.read(write(tmp_path), form, DATA)
    assert raw.passages.schema["pid"] == raw.queries.schema["qid"] == pl.Int64
    assert raw.passages.schema["text"] == raw.queries.schema["text"] == pl.String
    assert raw.qrels.schema == {"qid": pl.Int64, "pid": pl.Int64, "grade": pl.Int32}
    assert raw.passages["pid"].is_unique().all()
    for tables in (raw.passages, raw.queries, raw.qrels):
        assert tables.null_count().sum_horizontal().item() == 0
    own_ids = name in ("beir with string ids", "beir with leading zeros", "beir.gz")
    assert ("source_id" in raw.passages.columns) == own_ids
    assert ("source_id" in build(raw).queries.columns) == own_ids


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_no_part_is_left_behind(tmp_path: Path, name: str) -> None:
    form, write = WRITERS[name]
    folder = write(tmp_path / "given")
    wanted = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    (folder / "LICENSE").write_text("x")
    (folder / "notes").mkdir()
    (folder / "notes" / "train.tsv").write_text("x")
    for given in (folder, zipped(folder, tmp_path / "small.zip")):
        copied = tmp_path / f"from {given.name}"
        copied.mkdir()
        if given.is_file() and form == "pairs":
            continue  # there, a folder in front of a file is a set's name
        local.fetch(given, form, copied)
        files = {path.relative_to(copied) for path in copied.rglob("*") if path.is_file()}
        assert files == wanted


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([write_qna, write_pairs, write_beir, write_tsv], "passage-ranking"),
        ([write_qna, write_pairs, write_beir], "beir"),
        ([write_qna, write_pairs], "qna"),
    ],
)
def test_auto_takes_the_first_of_several(
    tmp_path: Path, present: list[Callable[[Path], Path]], expected: str
) -> None:
    for write in present:
        write(tmp_path)
    assert readers.choose(tmp_path, "auto") == expected
    assert readers.choose(tmp_path, "qna") == "qna"


def test_auto_opens_parquet_to_tell_candidates_from_pairs(tmp_path: Path) -> None:
    write_pairs(tmp_path, suffix=".parquet")
    assert readers.choose(tmp_path, "auto") == "pairs"
    with pytest.raises(
        DataError, match=r"no files of format qna; expected .*; found test\.parquet"
    ):
        readers.choose(tmp_path, "qna")


def test_nothing_that_could_be_read(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / "queries.train.tsv").write_text("1\tx\n")  # of passage ranking, no pairs
    with pytest.raises(DataError, match=r"no files of .* found queries\.train\.tsv, readme\.txt"):
        readers.choose(tmp_path, "auto")


@pytest.mark.parametrize("name", WRITERS)
def test_weak_labels_need_candidates(tmp_path: Path, name: str) -> None:
    form, write = WRITERS[name]
    data = dataclasses.replace(DATA, train_labels="all")
    if form == "qna":
        assert build(readers.read(write(tmp_path), "auto", data), train_labels="all")
        return
    with pytest.raises(DataError, match=f"train_labels: all .* only format qna .* this is {form}"):
        readers.read(write(tmp_path), "auto", data)


TRIPLETS = [
    ("why do cats purr", "p1", "n1"),
    ("why do cats purr", "p1", "n2"),
    ("dogs?", "p2", "p1"),
]


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
def test_triplets_stand_for_pairs(tmp_path: Path, suffix: str) -> None:
    pairs = {(query, text, 1) for query, text, _ in TRIPLETS}
    pairs |= {(query, text, 0) for query, _, text in TRIPLETS}
    tables = {
        "triplets": pl.DataFrame(TRIPLETS, ["query", "positive", "negative"], orient="row"),
        "pairs": pl.DataFrame(sorted(pairs), ["query", "document", "label"], orient="row"),
    }
    found = {}
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        for split in ("train", "dev", "test"):
            path = tmp_path / name / f"{split}{suffix}"
            own = table.with_columns(pl.col("query") + f" {split}")
            if suffix == ".parquet":
                own.write_parquet(path)
            else:
                own.write_csv(path, separator="\t")
        built = build(readers.read(tmp_path / name, "auto", DATA))
        found[name] = (set(built.passages["text"]), queries_of(built), labels_of(built))
        assert built.counts["splits"]["train"]["qrels"] == 5
    assert found["triplets"] == found["pairs"]
    assert ("dogs? dev", "p1", 0) in found["triplets"][2]
