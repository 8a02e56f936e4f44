"""Source `local`: a folder or archive of the user's own, copied byte for byte.

Only files that the format's reader will use are copied, or unpacked from a .zip or .tar.gz.
"""

from __future__ import annotations

from pathlib import Path

from twotower import archives
from twotower.data import readers
from twotower.errors import DataError
from twotower.files import copy_file


def fetch(given: Path, name: str, folder: Path) -> None:
    """Copy the corpus of a folder or archive; raises DataError if there is none in the format.

    name: the format, or `auto`.
    """
    if archives.is_archive(given):
        unpack(given, name, folder)
    elif given.is_dir():
        try:
            files = readers.files(given, name)
        except OSError as error:
            raise DataError(f"{given}: not readable as a folder: {error.strerror}") from None
        for file in files:
            copy_file(file, folder / file.relative_to(given))
    else:
        kinds = ", ".join(archives.SUFFIXES)
        raise DataError(
            f"download.folder: {given} is neither a folder nor a file ending in {kinds}; "
            "name the one with your corpus"
        )


def unpack(archive: Path, name: str, folder: Path) -> None:
    """Unpack the files of a format from an archive; raises DataError if it has none."""
    formats = readers.FORMATS.values() if name == "auto" else [readers.FORMATS[name]]
    written = archives.unpack(
        archive, folder, lambda path: any(module.is_part(path) for module in formats)
    )
    try:
        used = readers.files(folder, name)
    except DataError as error:
        raise DataError(f"{archive}: {str(error).partition(': ')[2]}") from None
    for file in set(written) - set(used):
        file.unlink()
