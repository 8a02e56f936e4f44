"""Bad inputs through the real stage scripts: one message that names the place, exit 1, no output.

Each case copies a whole folder tree, damages one thing and runs the one stage that must notice.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).resolve().parents[2]
RAW, VECTORS, MY = Path("data/raw/corpus"), Path("data/vectors"), Path("my/corpus")
TRAIN = "train-00000-of-00001.parquet"
CHANGES = {"source": "local", "folder": "my/corpus", "file": "my/vectors", "width": "2"}
PARAMS = re.sub(
    rf"(?m)^  ({'|'.join(CHANGES)}): .*$",
    lambda line: f"  {line[1]}: {CHANGES[line[1]]}",
    (ROOT / "params.yaml").read_text(encoding="utf-8"),
)
Damage = Callable[[Path], object]


class Case(NamedTuple):
    """What is done to which tree, which stage is run, and what its message must say."""

    name: str
    tree: str
    stage: str
    damage: Damage
    message: str


def write_passage_ranking(folder: Path) -> None:
    folder.mkdir(parents=True)
    texts = "".join(f"{pid}\tpassage of cats {pid}\n" for pid in range(1, 7))
    (folder / "collection.tsv.gz").write_bytes(gzip.compress(texts.encode()))
    for first, split in ((1, "train"), (3, "dev"), (5, "test")):
        qids = (first, first + 1)
        queries, qrels = folder / f"queries.{split}.tsv", folder / f"qrels.{split}.tsv"
        queries.write_text("".join(f"{qid}\tquery {qid}\n" for qid in qids))
        qrels.write_text("".join(f"{qid}\t0\t{qid}\t1\n" for qid in qids))


def qna_rows(first: int) -> dict[str, Any]:
    """Two rows, as columns."""
    passages = {"is_selected": [1, 0], "passage_text": [f"cats {first}", "dogs"]}
    qids, texts = [first, first + 1], [f"query {first}", f"query {first + 1}"]
    return {"query_id": qids, "query": texts, "passages": [passages, passages]}


def write_qna(folder: Path) -> None:
    folder.mkdir(parents=True)
    for first, split in ((1, "train"), (3, "validation"), (5, "test")):
        pq.write_table(pa.table(qna_rows(first)), folder / f"{split}-00000-of-00001.parquet")


def run(stage: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "stages" / f"{stage}.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole trees by name: `mine` (nothing run), `tsv` and `qna` (downloaded), `corpus` (made)."""
    trees: Path = tmp_path_factory.mktemp("trees")
    for name, write in (("mine", write_passage_ranking), ("qna", write_qna)):
        write(trees / name / "my" / "corpus")
        (trees / name / "my" / "vectors").mkdir()
        (trees / name / "my" / "vectors" / "v.txt").write_text("cats 1 2\nof 3 4\n")
        (trees / name / "params.yaml").write_text(PARAMS, encoding="utf-8")
    shutil.copytree(trees / "mine", trees / "tsv")
    for name in ("tsv", "qna"):
        must_work("download", trees / name)
    shutil.copytree(trees / "tsv", trees / "corpus")
    must_work("prepare", trees / "corpus")
    must_work("fetch_vectors", trees / "corpus")
    return trees


def must_work(stage: str, folder: Path) -> None:
    done = run(stage, folder)
    assert done.returncode == 0, done.stderr


def append(path: Path, content: bytes) -> Damage:
    def damage(root: Path) -> None:
        with (root / path).open("ab") as file:
            file.write(content)

    return damage


def put(path: Path, content: bytes) -> Damage:
    return lambda root: (root / path).write_bytes(content)


def cut(path: Path) -> Damage:
    def damage(root: Path) -> None:
        content = (root / path).read_bytes()
        (root / path).write_bytes(content[: len(content) * 2 // 3])

    return damage


def remove(path: Path) -> Damage:
    return lambda root: (root / path).unlink()


def column(name: str, values: Any) -> Damage:
    """Replace a column of the train file; None takes it away."""

    def damage(root: Path) -> None:
        columns = {**qna_rows(1), name: values}
        kept = {key: value for key, value in columns.items() if value is not None}
        pq.write_table(pa.table(kept), root / RAW / TRAIN)

    return damage


def packed(lines: bytes) -> Damage:
    """Add lines to the collection."""

    def damage(root: Path) -> None:
        path = root / RAW / "collection.tsv.gz"
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + lines))

    return damage


def cut_off_zip(root: Path) -> None:
    with zipfile.ZipFile(root / VECTORS / "v.zip", "w") as archive:
        archive.write(root / VECTORS / "v.txt", "v.txt")
    (root / VECTORS / "v.txt").unlink()
    cut(VECTORS / "v.zip")(root)


def params(old: str, new: str) -> Damage:
    """Replace what a pattern matches in params.yaml."""

    def damage(root: Path) -> None:
        text = re.sub(old, new, PARAMS, count=1, flags=re.MULTILINE | re.DOTALL)
        assert text != PARAMS
        (root / "params.yaml").write_text(text, encoding="utf-8")

    return damage


def swap_for_folder(path: Path) -> Damage:
    def damage(root: Path) -> None:
        (root / path).unlink()
        (root / path).mkdir()

    return damage


def withheld(root: Path) -> None:
    (root / RAW / "qrels.test.tsv").write_text("5\t0\t5\t-1\n6\t0\t6\t-1\n")
    params("^  test: auto$", "  test: test")(root)


MISSING_FIELD = [{"is_selected": [1]}] * 2
UNEVEN = [{"is_selected": [1], "passage_text": ["a"]}, {"is_selected": [1], "passage_text": None}]
CASES = [
    # the user's folders, at download
    Case("no folder", "mine", "download", lambda root: shutil.rmtree(root / MY),
         r"download\.folder: my/corpus is neither a folder nor a file ending in"),
    Case("no vectors", "corpus", "fetch_vectors", lambda root: shutil.rmtree(root / "my/vectors"),
         r"vectors\.file: my/vectors is neither a file nor a folder"),
    Case("no collection", "mine", "download", remove(MY / "collection.tsv.gz"),
         r"my/corpus: no files of format .* expected collection\.tsv"),
    Case("folder for a file", "mine", "download", swap_for_folder(MY / "qrels.dev.tsv"),
         r"my/corpus/qrels\.dev\.tsv: not readable as a file: Is a directory"),
    # passage ranking, at prepare
    Case("empty collection", "tsv", "prepare", put(RAW / "collection.tsv.gz", b""),
         r"collection\.tsv\.gz: the file is empty"),
    Case("cut-off gzip", "tsv", "prepare", cut(RAW / "collection.tsv.gz"),
         r"collection\.tsv\.gz, after line \d+: .*cut off"),
    Case("zero bytes", "tsv", "prepare", packed(b"7\tx\0y\n"),
         r"collection\.tsv\.gz, line 7: holds a zero byte"),
    Case("not UTF-8", "tsv", "prepare", append(RAW / "queries.dev.tsv", b"9\tcaf\xe9\n"),
         r"queries\.dev\.tsv, line 3: not UTF-8"),
    Case("no tab", "tsv", "prepare", append(RAW / "queries.dev.tsv", b"9 words\n"),
         r"queries\.dev\.tsv, line 3: 1 field\(s\), expected 2: qid <tab> text"),
    Case("blank line at the end", "tsv", "prepare", append(RAW / "qrels.dev.tsv", b"\n"),
         r"qrels\.dev\.tsv, line 3: the line is empty; remove it"),
    Case("qid with letters", "tsv", "prepare", append(RAW / "queries.dev.tsv", b"q9\ttext\n"),
         r"queries\.dev\.tsv, line 3: qid is 'q9', expected a whole number"),
    Case("huge pid", "tsv", "prepare", packed(b"99999999999999999999\tx\n"),
         r"collection\.tsv\.gz, line 7: pid is '99999999999999999999'"),
    Case("duplicate pid", "tsv", "prepare", packed(b"4\tanother\n"),
         r"collection\.tsv\.gz: pid 4 stands there more than once \(lines 4 and 7\)"),
    Case("duplicate qid", "tsv", "prepare", append(RAW / "queries.dev.tsv", b"3\tanother\n"),
         r"queries\.dev\.tsv: qid 3 stands there more than once"),
    Case("unknown pid", "tsv", "prepare", append(RAW / "qrels.dev.tsv", b"3\t0\t99\t1\n"),
         r"qrels\.dev\.tsv, line 3: pid 99 is not in the collection"),
    Case("unknown qid", "tsv", "prepare", append(RAW / "qrels.dev.tsv", b"99\t0\t3\t1\n"),
         r"qrels\.dev\.tsv, line 3: qid 99 is not in the queries"),
    Case("qrels without queries", "tsv", "prepare", remove(RAW / "queries.dev.tsv"),
         r"each split needs .*qrels without queries: dev"),
    Case("withheld labels", "tsv", "prepare", withheld,
         r"split test: none of its 2 queries has a relevant passage .*-1 means"),
    # the hub's files, at prepare
    Case("cut-off Parquet", "qna", "prepare", cut(RAW / TRAIN),
         rf"{TRAIN}: not readable as Parquet, fetch it again"),
    Case("missing column", "qna", "prepare", column("query", None),
         rf"{TRAIN}: no column query; found query_id, passages"),
    Case("missing field", "qna", "prepare", column("passages", MISSING_FIELD),
         rf"{TRAIN}: expected .*a struct of lists .*passage_text"),
    Case("passages are texts", "qna", "prepare", column("passages", ["a", "b"]),
         rf"{TRAIN}: expected .*passages String"),
    Case("a null for a list", "qna", "prepare", column("passages", UNEVEN),
         rf"{TRAIN}, row 2 of 2 \(query_id 2\): .*different lengths"),
    Case("duplicate query_id", "qna", "prepare", column("query_id", [1, 1]),
         rf"{TRAIN}: qid 1 stands there more than once"),
    # vectors, at vocab
    Case("empty vectors", "corpus", "vocab", put(VECTORS / "v.txt", b""),
         r"v\.txt: the file is empty; expected a word and 2 numbers"),
    Case("wrong width", "corpus", "vocab", append(VECTORS / "v.txt", b"dogs 1\n"),
         r"v\.txt, line 3: word 'dogs' has 1 number.*expected vectors\.width = 2"),
    Case("NaN", "corpus", "vocab", append(VECTORS / "v.txt", b"dogs 1 nan\n"),
         r"v\.txt, line 3: word 'dogs' has a number that is NaN"),
    Case("no number", "corpus", "vocab", append(VECTORS / "v.txt", b"dogs 1 x2\n"),
         r"v\.txt, line 3: word 'dogs' has a field that is no number: 'x2'"),
    Case("cut-off zip", "corpus", "vocab", cut_off_zip,
         r"v\.zip: not a whole zip file"),
    # params.yaml, and a stage before its time
    Case("no params.yaml", "mine", "download", remove(Path("params.yaml")),
         r"params\.yaml: not found; run from the root"),
    Case("not YAML", "mine", "download", put(Path("params.yaml"), b"a: [\n"),
         r"params\.yaml: not readable as YAML: .*line 2"),
    Case("no such date", "mine", "download", params("^seed: .*?$", "seed: 2020-13-45"),
         r"params\.yaml: not readable as YAML: month must be"),
    Case("unknown key", "mine", "download", params("^  margin:", "  margn:"),
         r"params\.yaml: 2 problem.*train\.margn: unknown key; did you mean train\.margin\?"),
    Case("key twice", "mine", "download", params("^  margin: .*?\n", r"\g<0>\g<0>"),
         r"params\.yaml: not readable as YAML: line \d+: key margin stands twice"),
    Case("wrong type", "mine", "download", params("^  batch_size: .*?$", "  batch_size: many"),
         r"train\.batch_size: 'many' is not of type int; legal: from 2 to 1000000"),
    Case("impossible value", "mine", "download", params("^  b: .*?$", "  b: 1.5"),
         r"bm25\.b: 1\.5 is not legal; legal: from 0 to 1"),
    Case("missing section", "mine", "download", params("^embed:\n.*?\n\n", ""),
         r"params\.yaml: 1 problem.*embed: missing"),
    Case("nothing downloaded", "mine", "prepare", lambda root: None,
         r"data/raw is missing: `dvc repro` makes it, in stage download"),
]  # fmt: skip


def files(root: Path) -> dict[str, bytes]:
    """Give every file under a folder, hidden ones too, and all but the stages' parent folder."""
    paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*")}
    paths.pop("data", None)
    return {name: path.read_bytes() if path.is_file() else b"" for name, path in paths.items()}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(case: Case, trees: Path, tmp_path: Path) -> None:
    root = tmp_path / "work"
    shutil.copytree(trees / case.tree, root)
    case.damage(root)
    before = files(root)
    done = run(case.stage, root)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("error: ") == 1
    assert re.search(case.message, done.stderr, re.DOTALL), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert files(root) == before


def test_undamaged_vectors_work(trees: Path, tmp_path: Path) -> None:
    shutil.copytree(trees / "corpus", tmp_path / "work")
    must_work("vocab", tmp_path / "work")
    assert (tmp_path / "work" / "data" / "vocab" / "words.parquet").is_file()
