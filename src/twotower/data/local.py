"""Source `local`: a folder of the user's own, copied byte for byte.

The folder has passage-ranking files (collection.tsv[.gz], queries.<split>.tsv, qrels.<split>.tsv)
or hub QnA Parquet; the vectors are a GloVe text file, a zip that holds it, or a folder that holds
one of either. Only files that a reader will use are copied.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from twotower.config import Data
from twotower.data import readers
from twotower.errors import DataError


def copy(data: Data, folder: Path) -> None:
    """Copy the named corpus files and vector file into folder/corpus and folder/vectors."""
    corpus, vectors = Path(data.folder), Path(data.vectors)
    if not corpus.is_dir():
        raise DataError(f"data.folder: {corpus} is not a folder; name the one with your corpus")
    wanted = readers.files(corpus, data.format)
    vector_file = _vector_file(vectors)
    for part, files in (("corpus", wanted), ("vectors", [vector_file])):
        (folder / part).mkdir()
        for file in files:
            _copy_file(file, folder / part / file.name)


def _copy_file(file: Path, target: Path) -> None:
    """Copy one file; a folder of that name, a dangling link or a lack of rights is the user's."""
    try:
        shutil.copyfile(file, target)
    except OSError as error:
        raise DataError(f"{file}: not readable as a file: {error.strerror}") from None


def _vector_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"data.vectors: {path} is neither a file nor a folder")
    found = sorted([*path.glob("*.txt"), *path.glob("*.zip")])
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise DataError(
            f"data.vectors: {path} must hold one .txt or .zip of vectors, found {names}; "
            "name the file itself"
        )
    return found[0]
