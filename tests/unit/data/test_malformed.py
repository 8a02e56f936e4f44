"""Malformed inputs of every format: one DataError that names the place, and nothing left behind.

Each case writes the small corpus in one format, damages one thing, and goes the way of the stages
download (`sources.download`) and prepare (`readers.read`, `corpus.build`).
"""

from __future__ import annotations

import dataclasses
import gzip
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import (
    Damage,
    append,
    archive,
    both,
    column,
    cut,
    emptied,
    member,
    objects,
    of_pair,
    only_outside,
    pack,
    put,
    recoded,
    remove,
    renamed,
    repeat,
    replace,
    rows,
    swap,
    zip_flags,
)
from small_corpus import (
    DATA,
    LOCAL,
    ROWS,
    TRAIN,
    Row,
    table,
    write_beir,
    write_pairs,
    write_qna,
    write_tsv,
)

from twotower.artifacts import write_corpus
from twotower.config import Data, Download
from twotower.data import corpus, readers, sources
from twotower.errors import DataError
from twotower.files import read_json

WRITERS: dict[str, Callable[[Path], Path]] = {
    "tsv": write_tsv,
    "beir": write_beir,
    "qna": write_qna,
    "pairs": write_pairs,
    "parquet": lambda folder: write_pairs(folder, suffix=".parquet"),
}


class Case(NamedTuple):
    """What is damaged in which format, and what the message must say."""

    name: str
    form: str
    damage: Damage
    message: str
    changes: Mapping[str, Any] = MappingProxyType({})
    """of DATA and of the format, which is `auto`"""
    given: str = ""
    """name of an archive in the folder that is the source instead of it"""


HEADER = b"query\tdocument\tlabel\n"
BEIR_HEADER = b"query-id\tcorpus-id\tscore\n"
NO_FILES = "no files of format passage-ranking or beir or qna or pairs; expected "
CASES = [
    # passage ranking
    Case("empty collection", "tsv", put("collection.tsv", b""),
         r"collection\.tsv: the file is empty; expected lines of pid <tab> text"),
    Case("cut-off gzip", "tsv", pack("collection.tsv", 0.6),
         r"collection\.tsv\.gz, after line \d+: .*cut off or not gzip, fetch the file again"),
    Case("gzip by name alone", "tsv", renamed("qrels.test.tsv", b"qrels.test.tsv.gz"),
         r"qrels\.test\.tsv\.gz: Not a gzipped file"),
    Case("cut-off line", "tsv", put("qrels.test.tsv", b"7\t0\t113\t1\n7\t0\t1"),
         r"qrels\.test\.tsv, line 2: 3 field\(s\), expected 4: qid <tab> iteration <tab> pid"),
    Case("UTF-16", "tsv", recoded("queries.train.tsv", "utf-16"),
         r"queries\.train\.tsv, line 1: (not UTF-8|holds a zero byte)"),
    Case("Windows-1252", "tsv", append("collection.tsv", "999\tdon’t\n".encode("cp1252")),
         r"collection\.tsv, line 16: not UTF-8 \(.* at byte 7\); convert the file to UTF-8"),
    Case("zero byte", "tsv", append("collection.tsv", b"999\ta\0b\n"),
         r"collection\.tsv, line 16: holds a zero byte: this is a binary file"),
    Case("blank line between", "tsv", replace("queries.train.tsv", b"\n3", b"\n\n3"),
         r"queries\.train\.tsv, line 3: the line is empty; remove it"),
    Case("blank line at the end", "tsv", append("qrels.test.tsv", b"\n"),
         r"qrels\.test\.tsv, line 3: the line is empty; remove it"),
    Case("too many fields", "tsv", append("collection.tsv", b"999\ttitle\ttext\n"),
         r"collection\.tsv, line 16: 3 field\(s\), expected 2: pid <tab> text"),
    Case("blanks for tabs", "tsv", append("queries.test.tsv", b"999 who\n"),
         r"queries\.test\.tsv, line 2: 1 field\(s\), expected 2: qid <tab> text"),
    Case("header line", "tsv", replace("queries.test.tsv", b"7", b"qid\tquery\n7"),
         r"queries\.test\.tsv, line 1: qid is 'qid', expected a whole number"),
    Case("id with letters", "tsv", append("collection.tsv", b"D999\tx\n"),
         r"collection\.tsv, line 16: pid is 'D999', expected a whole number \(Int64\)"),
    Case("id beyond 64 bits", "tsv", append("collection.tsv", b"9223372036854775808\tx\n"),
         r"collection\.tsv, line 16: pid is '9223372036854775808'"),
    Case("grade in words", "tsv", append("qrels.test.tsv", b"7\t0\t113\tgood\n"),
         r"qrels\.test\.tsv, line 3: grade is 'good', expected a whole number \(Int32\)"),
    Case("grade with a fraction", "tsv", append("qrels.test.tsv", b"7\t0\t113\t0.5\n"),
         r"qrels\.test\.tsv, line 3: grade is '0\.5'"),
    Case("duplicate pid", "tsv", append("collection.tsv", b"104\tx\n"),
         r"collection\.tsv: pid 104 stands there more than once \(lines 5 and 16\)"),
    Case("duplicate qid", "tsv", repeat("queries.train.tsv"),
         r"queries\.train\.tsv: qid 8 stands there more than once \(lines 6 and 7\)"),
    Case("unknown pid", "tsv", append("qrels.test.tsv", b"7\t0\t5\t1\n7\t0\t6\t1\n"),
         r"qrels\.test\.tsv, line 3: pid 5 is not in the collection file \(2 such lines\)"),
    Case("unknown qid", "tsv", append("qrels.test.tsv", b"5\t0\t100\t1\n"),
         r"qrels\.test\.tsv, line 3: qid 5 is not in the queries file"),
    Case("a folder for a file", "tsv", swap("queries.test.tsv"),
         r"queries\.test\.tsv: not readable as a file: Is a directory"),
    Case("no collection", "tsv", remove("collection.tsv"), NO_FILES),
    Case("no qrels", "tsv", remove("qrels.train.tsv", "qrels.validation.tsv", "qrels.test.tsv"),
         "qrels without queries: no qrels at all"),
    Case("a query of two splits", "tsv",
         both(put("queries.dl19.tsv", b"7\tx\n"), put("qrels.dl19.tsv", b"7 0 100 1\n")),
         "qid 7 stands there more than once .* in dl19 and test"),
    Case("labels withheld everywhere", "tsv", put("qrels.train.tsv", b"1\t0\t100\t-1\n"),
         "split train: none of its 6 queries has a relevant passage"),
    Case("no relevant passage has a text", "tsv", put("collection.tsv",
         b"".join(b"%d\t \n" % pid for pid in range(100, 115))),
         "split train: none of its 6 queries has a relevant passage"),
    Case("a folder with nothing", "tsv",
         emptied, NO_FILES + ".*found nothing"),
    # beir
    Case("cut-off object", "beir", cut("corpus.jsonl"),
         r"corpus\.jsonl, line 1\d: not JSON \(.*\); the line is b'"),
    Case("cut-off gzip of JSON", "beir", pack("corpus.jsonl", 0.6),
         r"corpus\.jsonl\.gz, after line \d+: .*cut off"),
    Case("JSON that is no object", "beir", append("queries.jsonl", b'["q9", "text"]\n'),
         r"queries\.jsonl, line 9: expected a JSON object with _id, text, found b'"),
    Case("one array for all", "beir", put("corpus.jsonl", b'[{"_id": "1", "text": "a"}]\n'),
         r"corpus\.jsonl, line 1: expected a JSON object"),
    Case("null text", "beir", append("corpus.jsonl", objects({"_id": "d", "text": None})),
         r"corpus\.jsonl, line 16: no field 'text'; found _id, text"),
    Case("missing id", "beir", append("corpus.jsonl", objects({"id": "d", "text": "x"})),
         r"corpus\.jsonl, line 16: no field '_id'; found id, text"),
    Case("list for a text", "beir", append("corpus.jsonl", objects({"_id": "d", "text": ["x"]})),
         r"corpus\.jsonl, line 16: field 'text' is .*, expected text"),
    Case("object for a title", "beir",
         append("corpus.jsonl", objects({"_id": "d", "text": "x", "title": {"en": "T"}})),
         r"corpus\.jsonl, line 16: field 'title' is .*, expected text"),
    Case("JSON too deep", "beir", append("corpus.jsonl", b'{"_id": ' + b"[" * 50_000 + b"\n"),
         r"corpus\.jsonl, line 16: not JSON"),
    Case("JSON in Latin-1", "beir", append("queries.jsonl", b'{"_id": "x", "text": "caf\xe9"}\n'),
         r"queries\.jsonl, line 9: not UTF-8"),
    Case("empty JSON", "beir", put("queries.jsonl", b""), r"queries\.jsonl: the file is empty"),
    Case("duplicate corpus id", "beir", repeat("corpus.jsonl"),
         r"corpus\.jsonl: id doc-114 stands there more than once \(rows 15 and 16\)"),
    Case("duplicate query id", "beir", repeat("queries.jsonl"),
         r"queries\.jsonl: id q7 stands there more than once \(rows 8 and 9\)"),
    Case("unknown corpus id", "beir", append("qrels/test.tsv", b"q7\tdoc-9\t1\n"),
         r"qrels/test\.tsv, line 4: corpus-id doc-9 is not in the corpus file \(1 such lines\)"),
    Case("unknown query id", "beir", append("qrels/test.tsv", b"7\tdoc-100\t1\n"),
         r"qrels/test\.tsv, line 4: query-id 7 is not in the queries file"),
    Case("ids that differ in zeros", "beir",
         lambda folder: (write_beir(folder, qid="{}", pid="{}"),
                         append("qrels/test.tsv", b"7\t0100\t1\n")(folder)),
         r"qrels/test\.tsv, line 4: corpus-id 0100 is not in the corpus file"),
    Case("qrels without a header", "beir", put("qrels/test.tsv", b"q7\tdoc-113\t1\n"),
         r"qrels/test\.tsv, line 1: expected the header query-id <tab> corpus-id <tab> score"),
    Case("qrels of a header alone", "beir", put("qrels/test.tsv", BEIR_HEADER),
         r"qrels/test\.tsv: the file has a header alone; expected lines of query-id"),
    Case("qrels with TREC's columns", "beir",
         put("qrels/test.tsv", BEIR_HEADER + b"q7\tQ0\tdoc-113\t1\n"),
         r"qrels/test\.tsv, line 2: 4 field\(s\), expected 3: query-id <tab> corpus-id"),
    Case("score with a fraction", "beir", append("qrels/test.tsv", b"q7\tdoc-113\t1.0\n"),
         r"qrels/test\.tsv, line 4: score is '1\.0', expected a whole number"),
    Case("two corpus files", "beir",
         lambda folder: shutil.copy(folder / "corpus.jsonl", folder / "corpus.jsonl.gz"),
         r"expected one corpus\.jsonl or .*\.gz, found corpus\.jsonl, corpus\.jsonl\.gz"),
    Case("no queries", "beir", remove("queries.jsonl"),
         r"expected one queries\.jsonl or queries\.jsonl\.gz, found none"),
    Case("no qrels", "beir", lambda folder: shutil.rmtree(folder / "qrels"),
         r"no qrels/<split>\.tsv; expected qrels/train\.tsv"),
    Case("a folder for qrels", "beir", swap("qrels/test.tsv"),
         r"qrels/test\.tsv: not readable as a file: Is a directory"),
    Case("a dangling link", "beir",
         lambda folder: (folder / "qrels" / "dl19.tsv").symlink_to("nowhere"),
         r"qrels/dl19\.tsv: not readable as a file: No such file"),
    # qna
    Case("cut-off Parquet", "qna", cut(TRAIN), rf"{TRAIN}: not readable as Parquet, fetch it"),
    Case("no Parquet", "qna", put("test-00000-of-00001.parquet", b"<html>404</html>"),
         r"test-00000-of-00001\.parquet: not readable as Parquet"),
    Case("empty Parquet file", "qna", put(TRAIN, b""), rf"{TRAIN}: not readable as Parquet"),
    Case("no rows", "qna",
         lambda folder: pq.write_table(table(ROWS["train"]).slice(0, 0), folder / TRAIN),
         rf"{TRAIN}: the file has no rows"),
    Case("missing column", "qna", column(TRAIN, "query", None),
         rf"{TRAIN}: no column query; found answers, passages, query_id"),
    Case("ids with fractions", "qna", column(TRAIN, "query_id", pa.array([1.5] * 6)),
         rf"{TRAIN}: query_id holds fractions, expected whole numbers"),
    Case("passages as text", "qna", column(TRAIN, "passages", pa.array(["x"] * 6)),
         rf"{TRAIN}: expected query_id .* found .*passages String"),
    Case("a query is missing", "qna", column(TRAIN, "query", pa.array([*"abcd", None, "f"])),
         rf"{TRAIN}, row 5 of 6 \(query_id 5\): query or id is missing"),
    Case("another label", "qna", rows(*ROWS["train"], Row(9, "q", [(1, "a"), (2, "b")])),
         rf"{TRAIN}, row 7 of 7 \(query_id 9\): is_selected holds a label that is not 1, 0 or -1"),
    Case("uneven lists", "qna", column(TRAIN, "passages", pa.array(
         [{"is_selected": [1, 0], "passage_text": ["a"]}] * 6)),
         rf"{TRAIN}, row 1 of 6 \(query_id 1\): .*different lengths"),
    Case("duplicate query id in a file", "qna", rows(*ROWS["train"], Row(3, "q", [(1, "a")])),
         rf"{TRAIN}: qid 3 stands there more than once \(rows 3 and 7\)"),
    Case("duplicate query id in two files", "qna", rows(Row(7, "q", [(1, "a")])),
         "qid 7 stands there more than once .* in test and train"),
    Case("a folder for Parquet", "qna", swap(TRAIN), rf"{TRAIN}: not readable as a file: Is a"),
    Case("every label withheld", "qna", rows(Row(1, "q", [(-1, "a")])),
         r"split train: none of its 1 queries .* -1 means that labels are withheld"),
    Case("a named test without labels", "qna", lambda folder: pq.write_table(
         table([Row(70, "q", [(-1, "a")])]), folder / "test-00000-of-00001.parquet"),
         "split test: none of its 1 queries has a relevant", {"test": "test"}),
    Case("a name that is no text", "qna", renamed(TRAIN, b"tr\xe4in.parquet"),
         r"the file name 'tr.udce4in\.parquet' is not UTF-8; rename the file"),
    # pairs
    Case("header alone", "pairs", put("test.tsv", HEADER),
         r"test\.tsv: the file has a header alone; expected lines of query <tab> document"),
    Case("empty file of pairs", "pairs", put("test.tsv", b""),
         r"test\.tsv: expected columns query, document, label .*, found none"),
    Case("no header", "pairs", put("test.tsv", b"who won?\tdogs\t1\n"),
         r"test\.tsv: expected columns .*, found who won\?, dogs, 1; data\.query_column"),
    Case("commas for tabs", "pairs", put("test.tsv", b"query,document,label\nq,d,1\n"),
         r"test\.tsv: expected columns .* found query,document,label; "),
    Case("a column twice", "pairs", put("test.tsv", b"query\tdocument\tlabel\tlabel\nq\td\t1\t1\n"),
         r"test\.tsv, line 1: a column stands there twice: query, document, label, label"),
    Case("wrong label", "pairs", append("test.tsv", b"q\td\t2\n"),
         r"test\.tsv, line 4: label is 2, expected 1 \(relevant\), 0 \(not\) or -1 \(unknown\)"),
    Case("label in words", "pairs", append("test.tsv", b"q\td\tyes\n"),
         r"test\.tsv, line 4: label is 'yes', expected a whole number"),
    Case("too few fields", "pairs", append("test.tsv", b"q\td\n"),
         r"test\.tsv, line 4: 2 field\(s\), expected 3: query <tab> document <tab> label"),
    Case("a tab within a text", "pairs", append("test.tsv", b"q\td\te\t1\n"),
         r"test\.tsv, line 4: 4 field\(s\), expected 3"),
    Case("a header in Latin-1", "pairs", put("test.tsv", b"fr\xe4ge\tdocument\tlabel\nq\td\t1\n"),
         r"test\.tsv, line 1: not UTF-8"),
    Case("columns that are named otherwise", "pairs", lambda _: None,
         r"test\.tsv: expected columns frage, document, label", {"query_column": "frage"}),
    Case("a folder for pairs", "pairs", swap("test.tsv"), r"test\.tsv: not readable as a file"),
    Case("pairs as candidates", "pairs", lambda _: None,
         r"data\.train_labels: all takes .* only format qna .* this is pairs",
         {"train_labels": "all"}),
    Case("too few to hold out", "pairs", remove("test.tsv", "validation.tsv"),
         "no labelled split dev, and train has only 3 queries .*: too few to hold some out"),
    Case("zero byte in pairs", "pairs", append("train.tsv", b"q\0\td\t1\n"),
         r"train\.tsv, line 13: holds a zero byte"),
    Case("cut-off Parquet of pairs", "parquet", cut("test.parquet"),
         r"test\.parquet: not readable as Parquet"),
    Case("label as a fraction", "parquet", of_pair(label=[0.5]),
         r"train\.parquet, row 1: label is 0\.5, expected 1"),
    Case("label in words, Parquet", "parquet", of_pair(label=["yes"]),
         r"train\.parquet: expected query \(text\), .*, label \(1, 0 or -1\): .*yes"),
    Case("a text is null", "parquet",
         of_pair(query=["a", "b"], document=pa.array(["x", None]), label=[1, 1]),
         r"train\.parquet, row 2: a text or label is missing"),
    Case("list for a document", "parquet", of_pair(document=[["a"]]),
         r"train\.parquet: expected .*: document cannot be read so"),
    Case("struct for a query", "parquet", of_pair(query=[{"a": "b"}]),
         r"train\.parquet: expected .*: query cannot be read so"),
    Case("bytes that are no text", "parquet", of_pair(query=[b"caf\xe9"]),
         r"train\.parquet: expected .*: invalid utf8"),
    Case("no rows of pairs", "parquet", of_pair(
         query=pa.array([], pa.string()), document=pa.array([], pa.string()),
         label=pa.array([], pa.int64())),
         r"train\.parquet: the file has no rows"),
    Case("Parquet with other columns", "parquet",
         lambda folder: pq.write_table(pa.table({"text": ["a"]}), folder / "train.parquet"),
         r"train\.parquet: expected columns query, .*, found text; data\.query_column"),
    # archives
    Case("cut-off zip", "beir", archive("a.zip", then=cut("a.zip")),
         r"a\.zip: cannot be unpacked: File is not a zip file; fetch it again", given="a.zip"),
    Case("cut-off tar.gz", "tsv", archive("a.tar.gz", then=cut("a.tar.gz")),
         r"a\.tar\.gz: cannot be unpacked: .*; fetch it again", given="a.tar.gz"),
    Case("cut-off tar", "tsv", archive("a.tar", then=cut("a.tar")),
         r"a\.tar: cannot be unpacked: (unexpected end of data|truncated header); ", given="a.tar"),
    Case("encrypted zip", "beir",
         archive("a.zip", then=zip_flags("a.zip", (6, 1), (8, 1))),
         r"a\.zip: cannot be unpacked: .* is encrypted", given="a.zip"),
    Case("unknown compression", "beir",
         archive("a.zip", then=zip_flags("a.zip", (8, 99), (10, 99))),
         r"a\.zip: cannot be unpacked: That compression method is not supported", given="a.zip"),
    Case("members outside alone", "beir", only_outside,
         rf"a\.zip: {NO_FILES}.* found nothing", given="a.zip"),
    Case("two corpus.jsonl", "beir",
         archive("a.zip", then=member("a.zip", "other/corpus.jsonl")),
         r"a\.zip: it holds corpus\.jsonl twice, in different folders", given="a.zip"),
    Case("a zip with nothing of use", "beir",
         archive("a.zip", before=emptied),
         rf"a\.zip: {NO_FILES}", given="a.zip"),
    Case("another format than named", "beir", archive("a.zip"),
         r"a\.zip: no files of format qna; ", {"format": "qna"}, given="a.zip"),
    Case("no zip", "beir", put("a.zip", b"<html>404</html>"),
         r"a\.zip: cannot be unpacked: File is not a zip file", given="a.zip"),
    Case("no tar", "beir", put("a.tgz", gzip.compress(b"text " * 1000)),
         r"a\.tgz: cannot be unpacked: ", given="a.tgz"),
    Case("an empty archive", "beir", put("a.tar.gz", b""),
         r"a\.tar\.gz: cannot be unpacked: empty file", given="a.tar.gz"),
    Case("names that are no text in a zip", "pairs",
         archive("a.zip", before=renamed("test.tsv", "té.tsv".encode()),
                 then=lambda folder: put("a.zip", (folder / "a.zip").read_bytes().replace(
                     "é".encode(), b"\xe9\xe9"))(folder)),
         r"a\.zip: cannot be unpacked: 'utf-8' codec", given="a.zip"),
    Case("names that are no text in a tar", "pairs",
         archive("a.tar", before=renamed("test.tsv", b"t\xe4st.tsv")),
         r"the file name 't.udce4st\.tsv' is not UTF-8; rename the file", given="a.tar"),
    Case("a kind that cannot be read", "beir", put("a.7z", b"7z"),
         r"download\.folder: .*a\.7z is neither a folder nor a file ending in", given="a.7z"),
    Case("an archive that is not there", "beir", lambda _: None,
         r"download\.folder: .*none\.zip is neither a folder nor a file", given="none.zip"),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.form}-{case.name}") for case in CASES]
)
def test_one_message_and_nothing_left(case: Case, tmp_path: Path) -> None:
    folder, out = WRITERS[case.form](tmp_path / "given"), tmp_path / "out"
    case.damage(folder)
    out.mkdir()
    before = {path for path in tmp_path.rglob("*") if out not in path.parents}
    changes = dict(case.changes)
    settings = dataclasses.replace(
        LOCAL, folder=str(folder / case.given), format=changes.pop("format", "auto")
    )
    with pytest.raises(DataError, match=case.message) as caught:
        prepare(settings, dataclasses.replace(DATA, **changes), out)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    left = {path for path in out.rglob("*") if out / "raw" not in (path, *path.parents)}
    assert left == set()
    assert {path for path in tmp_path.rglob("*") if out not in path.parents} == before


def prepare(settings: Download, data: Data, out: Path) -> None:
    """Do what the stages download and prepare do; a failing download leaves no folder."""
    try:
        sources.download(settings, out / "raw")
    except DataError:
        assert list(out.iterdir()) == []
        raise
    form = read_json(out / "raw" / "source.json")["format"]
    raw = readers.read(out / "raw" / "corpus", form, data)
    write_corpus(corpus.build(raw, data, 20, smoke=False), out / "corpus")


@pytest.mark.parametrize("form", WRITERS)
def test_undamaged_files_go_through(form: str, tmp_path: Path) -> None:
    """What the cases above damage is sound before."""
    settings = dataclasses.replace(LOCAL, folder=str(WRITERS[form](tmp_path / "given")))
    (tmp_path / "out").mkdir()
    prepare(settings, DATA, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["corpus", "raw"]


def test_there_are_many_cases() -> None:
    assert len({(case.form, case.name) for case in CASES}) == len(CASES) >= 35
