"""What goes wrong with files: each function gives a damage, which is done to a corpus's folder."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from small_corpus import TRAIN, Row, table, tarred, zipped

Damage = Callable[[Path], object]


def append(path: str, content: bytes) -> Damage:
    def damage(folder: Path) -> None:
        with (folder / path).open("ab") as file:
            file.write(content)

    return damage


def put(path: str, content: bytes) -> Damage:
    return lambda folder: (folder / path).write_bytes(content)


def replace(path: str, old: bytes, new: bytes) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / path).read_bytes()
        assert old in content
        (folder / path).write_bytes(content.replace(old, new, 1))

    return damage


def remove(*paths: str) -> Damage:
    def damage(folder: Path) -> None:
        for path in paths:
            (folder / path).unlink()

    return damage


def cut(path: str) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: len(content) * 2 // 3])

    return damage


def pack(path: str, left: float = 1.0) -> Damage:
    """Pack a file with gzip, of which a part is left."""

    def damage(folder: Path) -> None:
        content = gzip.compress((folder / path).read_bytes())
        (folder / path).unlink()
        (folder / f"{path}.gz").write_bytes(content[: int(len(content) * left)])

    return damage


def swap(path: str) -> Damage:
    """Put a folder where a file is."""

    def damage(folder: Path) -> None:
        (folder / path).unlink()
        (folder / path).mkdir()

    return damage


def renamed(path: str, name: bytes) -> Damage:
    return lambda folder: (folder / path).rename(folder / os.fsdecode(name))


def column(path: str, name: str, values: Any) -> Damage:
    """Replace a column of a Parquet file; None takes it away."""

    def damage(folder: Path) -> None:
        rows = pq.read_table(folder / path)
        at = rows.column_names.index(name)
        rows = rows.remove_column(at)
        pq.write_table(
            rows if values is None else rows.add_column(at, name, [values]), folder / path
        )

    return damage


def rows(*of_train: Row) -> Damage:
    return lambda folder: pq.write_table(table([*of_train]), folder / TRAIN)


def recoded(path: str, codec: str) -> Damage:
    def damage(folder: Path) -> None:
        text = (folder / path).read_text(encoding="utf-8")
        (folder / path).write_bytes(text.encode(codec))

    return damage


def archive(name: str, *, then: Damage | None = None, before: Damage | None = None) -> Damage:
    """Move the corpus into an archive of that name, which is then damaged."""

    def damage(folder: Path) -> None:
        if before:
            before(folder)
        inner = folder.parent / "inner"
        folder.rename(inner)
        folder.mkdir()
        (zipped if name.endswith(".zip") else tarred)(inner, folder / name)
        shutil.rmtree(inner)
        if then:
            then(folder)

    return damage


def zip_flags(path: str, local: tuple[int, int], central: tuple[int, int]) -> Damage:
    """Set a 16-bit field of every header: its offset and value."""

    def damage(folder: Path) -> None:
        content = bytearray((folder / path).read_bytes())
        for mark, (offset, value) in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
            at = content.find(mark)
            while at >= 0:
                struct.pack_into("<H", content, at + offset, value)
                at = content.find(mark, at + 4)
        (folder / path).write_bytes(content)

    return damage


def member(path: str, name: str, content: bytes = b"x") -> Damage:
    def damage(folder: Path) -> None:
        with zipfile.ZipFile(folder / path, "a") as packed:
            packed.writestr(name, content)

    return damage


def emptied(folder: Path) -> None:
    """Leave the folder alone, with nothing in it."""
    shutil.rmtree(folder)
    folder.mkdir()


def only_outside(folder: Path) -> None:
    """An archive whose every member would land outside the folder."""
    emptied(folder)
    with zipfile.ZipFile(folder / "a.zip", "w") as packed:
        for name in ("../corpus.jsonl", "/queries.jsonl", "a/../../qrels/train.tsv"):
            packed.writestr(name, "x")


def repeat(path: str) -> Damage:
    """Let the file's last line stand there twice."""

    def damage(folder: Path) -> None:
        lines = (folder / path).read_bytes().splitlines(keepends=True)
        (folder / path).write_bytes(b"".join([*lines, lines[-1]]))

    return damage


def both(*damages: Damage) -> Damage:
    def damage(folder: Path) -> None:
        for one in damages:
            one(folder)

    return damage


def objects(*contents: Any) -> bytes:
    return "".join(f"{json.dumps(content)}\n" for content in contents).encode()


def of_pair(**columns: Any) -> Damage:
    """Write train.parquet with one pair, some columns of it in another form."""
    pair = {"query": ["q"], "document": ["d"], "label": [1], **columns}
    return lambda folder: pq.write_table(pa.table(pair), folder / "train.parquet")
