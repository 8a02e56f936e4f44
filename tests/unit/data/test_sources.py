"""Sources: bytes are copied as they are, only what a reader uses, and all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from small_corpus import write_qna, write_tsv

from twotower.artifacts import is_smoke
from twotower.config import Data
from twotower.data import sources
from twotower.errors import DataError


@pytest.fixture
def given(tmp_path: Path) -> Data:
    """A source of the user's own: TSV files and one vector file."""
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    (vectors / "glove.2d.txt").write_text("cats 1 2\n")
    corpus = write_tsv(tmp_path / "corpus", packed=True)
    return Data(source="local", folder=str(corpus), vectors=str(vectors), format="auto")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def replaced(data: Data, **changes: str) -> Data:
    return Data(**{**vars(data), **changes})


def test_local_files_are_copied_byte_for_byte(given: Data, tmp_path: Path) -> None:
    (tmp_path / "corpus" / "notes.txt").write_text("not the reader's")
    wanted = contents(tmp_path / "corpus")
    wanted.pop("notes.txt")
    sources.download(given, tmp_path / "raw")
    assert contents(tmp_path / "raw" / "corpus") == wanted
    assert contents(tmp_path / "raw" / "vectors") == {"glove.2d.txt": b"cats 1 2\n"}
    assert not is_smoke(tmp_path / "raw")


def test_auto_takes_tsv_where_both_formats_are(given: Data, tmp_path: Path) -> None:
    write_qna(tmp_path / "corpus")
    sources.download(given, tmp_path / "auto")
    assert not list(tmp_path.glob("auto/corpus/*.parquet"))
    sources.download(replaced(given, format="qna"), tmp_path / "named")
    assert len(list(tmp_path.glob("named/corpus/*.parquet"))) == 3
    assert not list(tmp_path.glob("named/corpus/*.tsv*"))


def test_a_vector_file_may_be_named_itself(given: Data, tmp_path: Path) -> None:
    (tmp_path / "vectors" / "other.txt").write_text("dogs 3 4\n")
    named = replaced(given, vectors=str(tmp_path / "vectors" / "other.txt"))
    sources.download(named, tmp_path / "raw")
    assert contents(tmp_path / "raw" / "vectors") == {"other.txt": b"dogs 3 4\n"}


def test_an_earlier_download_is_replaced(given: Data, tmp_path: Path) -> None:
    (tmp_path / "raw" / "corpus").mkdir(parents=True)
    (tmp_path / "raw" / "corpus" / "old.tsv").write_text("old")
    sources.download(given, tmp_path / "raw")
    assert not (tmp_path / "raw" / "corpus" / "old.tsv").exists()


def test_the_sample_is_marked_as_smoke(given: Data, tmp_path: Path) -> None:
    sources.download(replaced(given, source="sample"), tmp_path / "raw")
    assert is_smoke(tmp_path / "raw")
    assert len(list(tmp_path.glob("raw/corpus/*.parquet"))) == 3


def no_folder(root: Path) -> None:
    (root / "corpus").rename(root / "gone")


def no_collection(root: Path) -> None:
    (root / "corpus" / "collection.tsv.gz").unlink()


def folder_for_a_file(root: Path) -> None:
    (root / "corpus" / "qrels.test.tsv").unlink()
    (root / "corpus" / "qrels.test.tsv").mkdir()


def dangling_link(root: Path) -> None:
    (root / "corpus" / "qrels.zzz.tsv").symlink_to(root / "nowhere")


def no_rights(root: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (root / "corpus" / "qrels.test.tsv").chmod(0)


def two_vector_files(root: Path) -> None:
    (root / "vectors" / "second.zip").write_bytes(b"")


def no_vectors(root: Path) -> None:
    (root / "vectors" / "glove.2d.txt").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_folder, "data.folder: .*corpus is not a folder"),
        (
            no_collection,
            r"no files of format .*expected collection.tsv\[.gz\].*found qrels.test.tsv",
        ),
        (folder_for_a_file, "qrels.test.tsv: not readable as a file: Is a directory"),
        (dangling_link, "qrels.zzz.tsv: not readable as a file: No such file"),
        (no_rights, "qrels.test.tsv: not readable as a file: Permission denied"),
        (two_vector_files, "must hold one .txt or .zip of vectors, found glove.2d.txt, second.zip"),
        (no_vectors, "must hold one .txt or .zip of vectors, found none"),
    ],
)
def test_what_cannot_be_copied_leaves_nothing(
    given: Data, tmp_path: Path, damage: object, message: str
) -> None:
    assert callable(damage)
    damage(tmp_path)
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=message):
        sources.download(given, tmp_path / "out" / "raw")
    assert list((tmp_path / "out").iterdir()) == []
