"""Which files hold the vectors, and opening them: folders, zips, gz, and what is broken in them."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import zipfile
from pathlib import Path

import polars as pl
import pytest

from twotower.errors import DataError
from twotower.text.vectors.locate import files_of
from twotower.text.vectors.readers import read_vectors
from twotower.text.vectors.table import Vectors

FILE = b"the 0.5 -1\ncat 2 3\n"
MODEL = {"tokenizer.json": b"{}", "model.safetensors": b""}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(path: Path, width: int = 2) -> Vectors:
    return read_vectors(path, "auto", width, pl.Series("word", ["cat", "the"]))


def check(found: Vectors) -> None:
    assert found.words.to_list() == ["the", "cat"]
    assert found.vectors_WE.tolist() == [[0.5, -1], [2, 3]]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["v.txt", "v.VEC", "any", "v.txt.gz", "v.zip"])
def test_a_file_a_folder_that_holds_it_and_the_copy(tmp_path: Path, name: str) -> None:
    packed = {"gz": gzip.compress(FILE), "zip": zipped({"v.txt": FILE})}
    content = packed.get(name.rpartition(".")[2], FILE)
    beside = {"README.md": b"x", ".gitignore": b"x", "source.json": b"{}"}
    folder = write(tmp_path / "in", {name: content, **beside})
    assert files_of(folder, "auto") == files_of(folder / name, "auto") == [folder / name]
    check(read(folder))
    check(read(folder / name))


def test_a_vector_file_beside_other_files(tmp_path: Path) -> None:
    check(read(write(tmp_path, {"v.vec": FILE, "LICENSE": b"x", "deeper/w.txt": b"x"})))


@pytest.mark.parametrize(
    "files",
    [
        MODEL,
        {f"0_StaticEmbedding/{name}": content for name, content in MODEL.items()},
        {**MODEL, "0_Other/model.safetensors": b"", "pytorch_model.bin": b"", "vocab.txt": b""},
    ],
)
@pytest.mark.parametrize("format_", ["auto", "model"])
def test_a_model_folder_and_its_flat_copy(
    tmp_path: Path, files: dict[str, bytes], format_: str
) -> None:
    found = files_of(write(tmp_path / "in", files), format_)
    assert [file.name for file in found] == ["tokenizer.json", "model.safetensors"]
    copy = write(tmp_path / "copy", {"source.json": b"{}"})
    for file in found:
        shutil.copyfile(file, copy / file.name)
    assert files_of(copy, format_) == [copy / "tokenizer.json", copy / "model.safetensors"]


@pytest.mark.parametrize(
    ("files", "format_", "message"),
    [
        ({}, "auto", "expected one file of vectors (.txt, .vec, .bin, .gz, .zip), found nothing"),
        ({"README": b"x", "a.json": b"x"}, "auto", "found nothing; name the file itself"),
        ({"a.txt": b"", "b.zip": b""}, "auto", "found a.txt, b.zip; name the file itself"),
        ({"a": b"", "b": b""}, "glove", "found a, b; name the file itself"),
        ({"a.txt": b""}, "model", "with tokenizer.json and model.safetensors, found a.txt"),
        ({"model.safetensors": b"", "vocab.txt": b""}, "auto", "found model.safetensors, vocab"),
        ({"tokenizer.json": b"", "pytorch_model.bin": b""}, "auto", "alone, which can run code"),
    ],
)  # fmt: skip
def test_a_folder_without_one_vector_file(
    tmp_path: Path, files: dict[str, bytes], format_: str, message: str
) -> None:
    write(tmp_path, files)
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path))}: .*{re.escape(message)}"):
        files_of(tmp_path, format_)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing is neither a file nor a folder"):
        read(tmp_path / "missing")
    (tmp_path / "in" / "v.txt").mkdir(parents=True)
    with pytest.raises(DataError, match=r"v\.txt: not readable as a file: Is a directory"):
        read(tmp_path / "in")
    for name, format_ in (("tokenizer.json", "auto"), ("v.zip", "model")):
        write(tmp_path, {name: b"{}"})
        with pytest.raises(DataError, match="is a file; of a model, name the folder"):
            files_of(tmp_path / name, format_)


def test_a_zip_of_several_widths(tmp_path: Path) -> None:
    members = {"g.2d.txt": FILE, "g.12d.txt": b"x", "g.3d.txt": b"cat 1 2 3\n"}
    write(tmp_path, {"g.zip": zipped(members)})
    check(read(tmp_path))
    assert read(tmp_path, width=3).vectors_WE.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("name", ["any.txt", "g.2d.txt", "folder/g.2d.txt", "w.vec"])
def test_a_zip_of_one_file(tmp_path: Path, name: str) -> None:
    members = {"folder/": b"", name: FILE, "README": b"x", f"__MACOSX/._{name}": b"x"}
    check(read(write(tmp_path, {"G.ZIP": zipped(members)})))


def test_a_zip_of_a_binary_file(tmp_path: Path) -> None:
    write(tmp_path, {"g.zip": zipped({"w.bin": b"1 1\ncat \x00\x00\x80\x3f"})})
    assert read(tmp_path, width=1).vectors_WE.tolist() == [[1]]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"g.3d.txt": b"", "g.4d.txt": b""}, "no single file with vectors.width 2; it holds g.3d"),
        ({"a/g.2d.txt": FILE, "b/g.2d.txt": FILE}, "it holds a/g.2d.txt, b/g.2d.txt"),
        ({"g.csv": FILE}, r"it holds no \.txt, \.vec, \.bin"),
        ({}, r"it holds no \.txt"),
    ],
)
def test_a_zip_without_one_fitting_file(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, {"g.zip": zipped(members)}))


LINES = b"".join(b"w%d %d 2\n" % (i, i * 7919 % 1013) for i in range(5000))


def broken_zip(how: str) -> bytes:
    """A zip with one thing wrong; offsets are those of the two headers of its one member."""
    content = bytearray(zipped({"g.2d.txt": LINES}))
    entry = content.find(b"PK\x01\x02")
    if how == "cut":
        return bytes(content[: len(content) // 2])
    if how == "data":
        content[30 + len("g.2d.txt")] = 0b111  # a kind of block that there is not
    if how == "checksum":
        content[entry + 16 : entry + 20] = b"abcd"
    if how == "encrypted":
        content[6] |= 1
        content[entry + 8] |= 1
    if how == "method":
        content[8] = content[entry + 10] = 99
    return bytes(content)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut", "not a whole zip file, fetch it again"),
        ("data", "not a whole zip file, fetch it again: Error -3 while decompressing"),
        ("checksum", "not a whole zip file, fetch it again: Bad CRC"),
        ("encrypted", r"g\.2d\.txt cannot be unpacked: .*encrypted"),
        ("method", r"g\.2d\.txt cannot be unpacked: .*not supported"),
    ],
)
def test_a_broken_zip(tmp_path: Path, how: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"g\.zip: {message}"):
        read(write(tmp_path, {"g.zip": broken_zip(how)}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(LINES)[:-2000], "Compressed file ended"),
        (gzip.compress(LINES)[:-8] + b"12345678", "CRC check failed"),
        (gzip.compress(LINES)[:10] + b"\xff" * 99, "Error -3 while decompressing"),
        (LINES, "Not a gzipped file"),
    ],
)
def test_a_broken_gz(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"v\.gz: not a whole gz file, fetch it again: {message}"):
        read(write(tmp_path, {"v.gz": content}))
