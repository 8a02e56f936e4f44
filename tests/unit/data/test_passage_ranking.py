"""Passage-ranking TSV: plain and packed, any split name, ids that must be known."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_corpus import PASSAGES, QUERIES, RELEVANT, queries_of, relevant_of, write_tsv

from twotower.data import corpus, readers
from twotower.errors import DataError


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_packed_files_give_the_corpus(tmp_path: Path, packed: bool) -> None:
    built = corpus.build(readers.read(write_tsv(tmp_path, packed=packed), "auto"), smoke=False)
    assert set(built.passages["text"]) == PASSAGES
    assert queries_of(built) == QUERIES
    assert relevant_of(built) == RELEVANT


def test_the_first_pid_of_a_text_stands_for_all(tmp_path: Path) -> None:
    built = corpus.build(readers.read(write_tsv(tmp_path), "auto"), smoke=False)
    # Candidates are numbered from 100: gravity, cats, cats, "", gravity, dogs, dogs, fish, ...
    assert built.passages["pid"].to_list() == [100, 101, 105, 107]


def test_any_split_is_kept_with_its_grades(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.dl19.tsv").write_text("90\thow do pets sound\n")
    (tmp_path / "qrels.dl19.tsv").write_text("90\t0\t101\t2\n90\tQ0\t105\t3\n90\t0\t100\t0\n")
    built = corpus.build(readers.read(tmp_path, "passage-ranking"), smoke=False)
    of_split = built.qrels.filter(split="dl19").select("pid", "grade")
    assert dict(of_split.rows()) == {101: 2, 105: 3, 100: 0}
    assert set(corpus.evaluation_splits(built)) == {"dl19", "test"}


def test_a_split_name_may_hold_dots(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.dev.small.tsv").write_text("90\tpets\n")
    (tmp_path / "qrels.dev.small.tsv").write_text("90\t0\t101\t1\n")
    raw = readers.read(tmp_path, "auto")
    assert raw.queries.filter(split="dev.small")["qid"].to_list() == [90]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\t0\t999\t1\n", "qrels.train.tsv, line 6: pid 999 is not in the collection"),
        ("77\t0\t100\t1\n", "qrels.train.tsv, line 6: qid 77 is not in the queries"),
        ("6\t0\t100\t1\n", "line 6: qid 6 is not in"),  # a query of another split
    ],
)
def test_qrels_to_unknown_ids(tmp_path: Path, line: str, message: str) -> None:
    with (write_tsv(tmp_path) / "qrels.train.tsv").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=message):
        readers.read(tmp_path, "auto")


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    with (tmp_path / "collection.tsv").open("a") as file:
        file.write("103\tAnother text.\n")
    with pytest.raises(DataError, match=r"collection\.tsv: pid 103 stands there more than once"):
        readers.read(tmp_path, "auto")


def test_a_query_of_two_splits_is_named_with_both(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.extra.tsv").write_text("7\tonce more\n")
    (tmp_path / "qrels.extra.tsv").write_text("7\t0\t100\t1\n")
    with pytest.raises(DataError, match=r"qid 7 stands .* in extra and test"):
        corpus.build(readers.read(tmp_path, "auto"), smoke=False)


def test_queries_without_qrels(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.eval.tsv").write_text("90\twithheld\n")
    with pytest.raises(DataError, match=r"qrels\.<split>\.tsv; without a partner: eval"):
        readers.read(tmp_path, "auto")
