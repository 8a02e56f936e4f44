"""Unpacking the wanted files of a .zip or .tar.gz, and nothing else of it.

Only plain files whose path, below the archive's one top folder if it has one, the caller wants are
written, each under that path: a member can never land outside the target folder. An archive that
is cut off or damaged is refused, as far as its kind can tell: .zip and .gz hold checksums.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from twotower.errors import DataError
from twotower.progress import progress

SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    OSError,
    RuntimeError,  # encrypted, or packed by a method that Python lacks
    ValueError,  # names that are no text
)
GZIP_START = b"\x1f\x8b"
COPY_BYTES = 2**20


def is_archive(path: Path) -> bool:
    """Whether a path is a file that `unpack` reads, by its name."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Write the wanted members into a folder; raises DataError for a broken archive.

    wanted: is given a member's path, `/` between its parts, without the archive's top folder.
    """
    written: list[Path] = []
    try:
        for name, file, size in _members(path):
            inner = _below_top(name)
            if not inner or not wanted(inner):
                continue
            target = folder / inner
            if target in written:
                raise DataError(f"{path}: it holds {inner} twice, in different folders")
            _copy(file, target, size)
            written.append(target)
    except BROKEN as error:
        raise DataError(
            f"{path}: cannot be unpacked: {error}; fetch it again, or unpack it yourself and name "
            "the folder"
        ) from None
    return written


def _below_top(name: str) -> str:
    """Give a member's path without a top folder that is a set's name; '' for an unsafe path.

    Files of the known formats lie at the top, or in qrels/; anything above is the set's name.
    What macOS puts beside each file (__MACOSX/, ._name) is none of the set's.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or parts[-1].startswith("._"):
        return ""
    keep = 2 if len(parts) > 1 and parts[-2] == "qrels" else 1
    return "/".join(parts[-keep:])


def _members(path: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    """Give name, content and bytes of each plain file of an archive."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as packed:
            for info in packed.infolist():
                if not info.is_dir():
                    with packed.open(info) as file:
                        yield info.filename, file, info.file_size
        return
    # A stream, read once from front to back; tarfile's own way into gzip ignores its checksum.
    with _unzipped(path) as plain, tarfile.open(fileobj=plain, mode="r|") as packed_tar:
        for member in packed_tar:
            content = packed_tar.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content, member.size
        _refuse_cut_off(packed_tar)


def _unzipped(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(len(GZIP_START)) == GZIP_START
    return cast("BinaryIO", gzip.open(path, "rb")) if packed else path.open("rb")


def _refuse_cut_off(packed: tarfile.TarFile) -> None:
    """Read to the end: tarfile takes a member's missing or damaged header for the end.

    Behind the last member of a whole archive stand two blocks of zeros, of which it has read one.
    """
    ended = False
    while packed.fileobj and (rest := packed.fileobj.read(COPY_BYTES)):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("a member's header is damaged")
        ended = True
    if not ended:
        raise tarfile.ReadError("unexpected end of data")


def _copy(file: IO[bytes], target: Path, size: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < size:
        raise DataError(
            f"{target.parent} has {free:,} bytes free, but {target.name} needs {size:,}; free some"
        )
    with target.open("xb") as out, progress(size, "B", f"unpacking {target.name}") as bar:
        while data := file.read(COPY_BYTES):
            out.write(data)
            bar.update(len(data))
