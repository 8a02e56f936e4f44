"""Opening a vector file: as it is, out of a .gz, or out of a zip, as Stanford ships GloVe.

In: a path, and the width, which chooses among the files of a zip. Out: a stream of bytes, and its
name for messages, such as glove.6B.zip/glove.6B.50d.txt.
"""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from twotower.errors import DataError

PACKED = (".txt", ".vec", ".bin")


@contextmanager
def opened(path: Path, width: int) -> Iterator[tuple[IO[bytes], str]]:
    """Open a vector file, or the file of that width in a zip; raises DataError if damaged."""
    kind = path.suffix.lower().removeprefix(".")
    with _open(path) as file:
        try:
            if kind == "zip":
                with zipfile.ZipFile(file) as archive, _open_member(archive, width, path) as member:
                    yield member, f"{path}/{member.name}"
            elif kind == "gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield cast("IO[bytes]", unpacked), str(path)
            else:
                yield file, str(path)
        except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: not a whole {kind} file, fetch it again: {error}") from None


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: not readable as a file: {error.strerror}") from None


def _open_member(archive: zipfile.ZipFile, width: int, path: Path) -> IO[bytes]:
    name = _member(archive.namelist(), width, path)
    try:
        return archive.open(name)
    except RuntimeError as error:  # encrypted, or packed in a way that Python does not know
        raise DataError(f"{path}: {name} cannot be unpacked: {error}") from None


def _member(names: list[str], width: int, path: Path) -> str:
    # macOS adds a folder of small files that have the names of the real ones.
    found = [name for name in names if name.endswith(PACKED) and not name.startswith("__MACOSX/")]
    chosen = [name for name in found if f".{width}d." in name] or found
    if len(chosen) != 1:
        held = ", ".join(found) or f"no {', '.join(PACKED)}"
        raise DataError(f"{path}: no single file with vectors.width {width}; it holds {held}")
    return chosen[0]
