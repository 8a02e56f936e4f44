"""Files and folders, written whole or not at all, in formats that never hold code.

Writers write beside the final name and rename, so nothing half-written is ever seen under it.
Formats are npy without pickle and JSON; nothing here loads a pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from twotower.errors import DataError


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write a file or folder to; on success it becomes `path`.

    On any error, Ctrl-C included, what was written is removed and `path` stays as it was.
    """
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        if path.is_dir():
            _remove(path)  # a folder cannot be replaced in one step; a file can
        partial.replace(path)
    except BaseException:
        _remove(partial)
        raise


@contextlib.contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Like `writing`, with the folder made."""
    with writing(path) as partial:
        partial.mkdir(parents=True)
        yield partial


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy_file(file: Path, target: Path) -> None:
    """Copy one file of the user's; raises DataError if it is none, or may not be read."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    except OSError as error:
        raise DataError(f"{file}: not readable as a file: {error.strerror}") from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal contents are equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_array(path: Path, array: np.ndarray) -> None:
    """Write one npy file; object arrays (which would be pickled) are refused by numpy."""
    np.save(path, array, allow_pickle=False)


def read_array(path: Path, *, memory_map: bool = False) -> np.ndarray:
    """Read one npy file, by default into memory."""
    array: np.ndarray = np.load(path, mmap_mode="r" if memory_map else None, allow_pickle=False)
    return array


def fingerprint(folder: Path, pattern: str = "*") -> str:
    """Give the md5 of the names and bytes of a folder's files: names a trained model."""
    digest = hashlib.md5(usedforsecurity=False)
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "md5").digest())
    return digest.hexdigest()
