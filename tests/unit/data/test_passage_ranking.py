"""Passage-ranking TSV: Microsoft's and TREC's own names, overlaps, ids that must be known."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from small_corpus import (
    DATA,
    FOUND,
    NO_FATE,
    QUERIES,
    build,
    labels_of,
    queries_of,
    write_tsv,
)

from twotower.data import corpus, passage_ranking, readers
from twotower.data.raw import RawCorpus
from twotower.errors import DataError


def read(folder: Path) -> RawCorpus:
    return readers.read(folder, "passage-ranking", DATA)


def write(folder: Path, **files: str) -> Path:
    """Write files by name, with `__` for a dot; five passages are there already."""
    texts = "".join(f"{pid}\ttext {pid}\n" for pid in range(1, 6))
    (folder / "collection.tsv").write_text(texts)
    for name, content in files.items():
        (folder / f"{name.replace('__', '.')}.tsv").write_text(content)
    return folder


def lines(qids: range | list[int]) -> str:
    return "".join(f"{qid}\tquery {qid}\n" for qid in qids)


def judged(qids: range | list[int]) -> str:
    return "".join(f"{qid}\t0\t{1 + qid % 5}\t1\n" for qid in qids)


def official(folder: Path) -> Path:
    """As in collectionandqueries.tar.gz: dev.small is part of dev; dev and eval have no qrels."""
    return write(
        folder,
        queries__train=lines(range(100, 120)),
        qrels__train=judged(range(100, 115)),
        queries__dev=lines(range(200, 210)),
        queries__dev__small=lines(range(203, 207)),
        qrels__dev__small=judged(range(203, 207)),
        queries__eval=lines(range(300, 310)),
        queries__eval__small=lines(range(304, 306)),
    )


def test_the_official_archive(tmp_path: Path) -> None:
    built = build(read(official(tmp_path)), held_out_queries=3)
    assert built.queries.filter(split="test")["qid"].to_list() == [203, 204, 205, 206]
    assert built.counts["found"] == {
        "test": {"queries": 4, **NO_FATE, "used_as_test": 4},
        "train": {
            "queries": 20,
            **NO_FATE,
            "without_positive": 5,
            "used_as_train": 12,
            "used_as_dev": 3,
        },
        "dev": {"queries": 6, **NO_FATE, "without_positive": 6},
        "eval": {"queries": 10, **NO_FATE, "without_positive": 10},
    }


def test_with_the_labels_of_the_whole_dev(tmp_path: Path) -> None:
    """qrels.dev.tsv, a file of its own, makes what dev.small leaves of dev the split dev."""
    official(tmp_path)
    (tmp_path / "qrels.dev.tsv").write_text(judged(range(200, 210)))
    built = build(read(tmp_path))
    assert built.queries.filter(split="dev")["qid"].to_list() == [200, 201, 202, 207, 208, 209]
    assert built.queries.filter(split="test")["qid"].to_list() == [203, 204, 205, 206]
    assert built.counts["passages"]["qrels_repeated"] == 4  # both files label dev.small
    assert built.counts["found"]["train"]["used_as_train"] == 15
    assert len(built.qrels.filter(split="test")) == 4


def test_dev_small_keeps_its_name_beside_a_test_split(tmp_path: Path) -> None:
    official(tmp_path)
    write(tmp_path, queries__test=lines([400]), qrels__test=judged([400]))
    built = build(read(tmp_path))
    assert corpus.evaluation_splits(built) == ["dev.small", "test"]
    assert build(read(tmp_path), test="dev.small").queries["split"].unique().len() == 3


def write_trec(folder: Path, year: int, *, packed: bool) -> None:
    """TREC's files as they are: blanks between the fields of the qrels, Q0, grades to 3."""
    queries = lines([year, year + 1, year + 2]).encode()
    qrels = f"{year} Q0 1 3\n{year} Q0 2 0\n{year + 1} 0 3 1\n{year + 1} 0 4 2\n".encode()
    end = ".gz" if packed else ""
    pack = gzip.compress if packed else bytes
    (folder / f"msmarco-test{year}-queries.tsv{end}").write_bytes(pack(queries))
    (folder / f"{year}qrels-pass.txt{end}").write_bytes(pack(qrels))


@pytest.mark.parametrize("packed", [False, True])
def test_trecs_files_beside_the_official_ones(tmp_path: Path, packed: bool) -> None:
    official(tmp_path)
    write_trec(tmp_path, 2019, packed=packed)
    write_trec(tmp_path, 2020, packed=not packed)
    for path in tmp_path.iterdir():
        assert passage_ranking.is_part(path.name)
    raw = readers.read(tmp_path, "auto", DATA)
    with pytest.raises(DataError, match=r"qid 2020 stands there more than once .* dl19 and dl20"):
        build(raw)
    (tmp_path / "2020qrels-pass.txt.gz" if not packed else tmp_path / "2020qrels-pass.txt").unlink()
    built = build(read(tmp_path))  # now dl20 has no qrels, and its queries are dl19's
    assert corpus.evaluation_splits(built) == ["dl19", "test"]
    rows = built.qrels.filter(split="dl19").select("qid", "pid", "grade").rows()
    assert rows == [(2019, 1, 3), (2019, 2, 0), (2020, 3, 1), (2020, 4, 2)]
    assert built.counts["found"]["dl19"] == {
        "queries": 3,
        **NO_FATE,
        "without_positive": 1,
        "used_as_dl19": 2,
    }
    assert built.counts["found"]["dl20"]["queries"] == 1


def test_the_order_of_the_files_columns_is_told_by_the_first_line(tmp_path: Path) -> None:
    write(tmp_path, queries__train=lines([1]), qrels__train="1 0 2 1\n1\t0\t3\t1\n")
    message = r"qrels\.train\.tsv, line 2: 1 field\(s\), expected 4: qid iteration pid grade"
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_the_first_pid_of_a_text_stands_for_all(tmp_path: Path) -> None:
    built = build(read(write_tsv(tmp_path)))
    # From 100 on: gravity, cats, "Gravity  pulls.", cats, "", gravity, dogs, dogs, fish, ...
    assert built.passages["pid"].to_list() == [100, 101, 106, 108]


def test_any_split_is_kept_with_its_grades(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.dl19.tsv").write_text("90\thow do pets sound\n")
    (tmp_path / "qrels.dl19.tsv").write_text("90\t0\t101\t2\n90\tQ0\t106\t3\n90\t0\t100\t0\n")
    built = build(read(tmp_path))
    of_split = built.qrels.filter(split="dl19").select("pid", "grade")
    assert dict(of_split.rows()) == {101: 2, 106: 3, 100: 0}
    assert queries_of(built) == QUERIES | {("how do pets sound", "dl19")}
    assert built.counts["found"] == {**FOUND, "dl19": {"queries": 1, **NO_FATE, "used_as_dl19": 1}}


def test_a_split_name_may_hold_dots_and_signs(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.my-own.v1.2.tsv").write_text("90\tpets\n")
    (tmp_path / "qrels.my-own.v1.2.tsv").write_text("90\t0\t101\t1\n")
    assert ("pets", "Cats purr.", 1) in labels_of(build(read(tmp_path)))


def test_packed_and_plain_files_of_one_split(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.test.tsv.gz").write_bytes(gzip.compress(b"7\tx\n"))
    message = r"split test has queries\.test\.tsv and queries\.test\.tsv\.gz"
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_of_a_packed_and_a_plain_collection_one_is_read(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "collection.tsv.gz").write_bytes(b"broken")
    names = [path.name for path in passage_ranking.files(tmp_path)]
    assert "collection.tsv" in names
    assert "collection.tsv.gz" not in names
    assert queries_of(build(read(tmp_path))) == QUERIES


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1\t0\t999\t1\n", r"qrels\.train\.tsv, line 12: pid 999 is not in the collection"),
        ("77\t0\t100\t1\n", r"qrels\.train\.tsv, line 12: qid 77 is not in the queries"),
        ("6\t0\t100\t1\n", "line 12: qid 6 is not in"),  # a query of another split
        ("6\t0\t100\t1\n8\t0\t9\t1\n5\t0\t8\t1\n", r"line 12: qid 6 is not in .* \(1 such"),
    ],
)
def test_qrels_to_unknown_ids(tmp_path: Path, line: str, message: str) -> None:
    with (write_tsv(tmp_path) / "qrels.train.tsv").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_an_id_that_stands_twice_is_named(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    with (tmp_path / "collection.tsv").open("a") as file:
        file.write("103\tAnother text.\n")
    message = r"collection\.tsv: pid 103 stands there more than once \(lines 4 and 16\)"
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_query_of_two_splits_is_named_with_both(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.extra.tsv").write_text("7\tonce more\n")
    (tmp_path / "qrels.extra.tsv").write_text("7\t0\t100\t1\n")
    with pytest.raises(DataError, match=r"qid 7 stands .* in extra and test"):
        build(read(tmp_path))


def test_qrels_without_queries(tmp_path: Path) -> None:
    write_tsv(tmp_path)
    (tmp_path / "queries.test.tsv").unlink()
    with pytest.raises(DataError, match="qrels without queries: test"):
        read(tmp_path)
    for path in tmp_path.glob("qrels.*"):
        path.unlink()
    with pytest.raises(DataError, match="qrels without queries: no qrels at all"):
        read(tmp_path)
