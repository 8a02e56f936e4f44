"""Where word vectors come from: one record a source, behind one interface.

A source writes the files that `readers` reads into data/vectors; source.json beside them says what
they are. Of a downloaded zip, the file of the wanted width is written as its publisher made it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from twotower import archives, downloads
from twotower.artifacts import VECTORS
from twotower.config import Vectors
from twotower.downloads import Remote
from twotower.errors import DataError, DownloadError
from twotower.files import copy_file, write_json, writing_folder
from twotower.text.vectors import locate

log = logging.getLogger(__name__)

Maker = Callable[[Path], None]
"""Makes a vector file in a folder."""
STANFORD = "https://nlp.stanford.edu/data"
HUB = "https://huggingface.co/stanfordnlp/glove/resolve/1db2080b2d94def6e5b0386a523102f9d8849e9d"
GLOVE_TERMS = "GloVe (Pennington, Socher and Manning, 2014): public domain (PDDL)"


Content = tuple[int, str]
"""Bytes and sha256 of a file."""


def _glove(name: str, stanford: Content, hub: Content) -> tuple[Remote, ...]:
    """Name a zip: its two publishers packed it differently, so each has its own checksum."""
    return (
        Remote(f"{STANFORD}/{name}", stanford[0], f"sha256:{stanford[1]}"),
        Remote(f"{HUB}/{name}", hub[0], f"sha256:{hub[1]}"),
    )


GLOVE = {
    "glove-6B": _glove(
        "glove.6B.zip",
        (862_182_613, "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"),
        (862_182_753, "6471382cdd837544bf3ac72497a38715e845897d265b2b424b4761832009c837"),
    ),
    "glove-42B": _glove(
        "glove.42B.300d.zip",
        (1_877_800_501, "03d5d7fa28e58762ace4b85fb71fe86a345ef0b5ff39f5390c14869da0fc1970"),
        (1_877_802_108, "357baac33090f645e71e253b3295ee1b767c98a0336e9a1d99c77e9e33b43c4a"),
    ),
    "glove-840B": _glove(
        "glove.840B.300d.zip",
        (2_176_768_927, "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f"),
        (2_176_768_976, "f47355dd5b267bd10f08671e513790690233c76a9ffd73aa915d78f894a8912e"),
    ),
    "glove-twitter-27B": _glove(
        "glove.twitter.27B.zip",
        (1_520_408_563, "792af52f795d1a32c9842a3240f5f3fe5e941a8ff6df5eb0f9d668092ebc019c"),
        (1_520_408_741, "3123e7f5c3f6a30095d413b12fc3284bbf717acd2a9bed63d1c7c13bf5223352"),
    ),
}
TERMS = {
    "sample": "made by this project from its generated texts",
    "local": "your own file: its terms are yours to know",
    "corpus": "trained on the corpus: its terms are the corpus's",
    "random": "none: drawn from the seed",
    **dict.fromkeys(GLOVE, GLOVE_TERMS),
}


def fetch(settings: Vectors, makers: Mapping[str, Maker], path: Path = VECTORS) -> str:
    """Write the files of the chosen source into `path`; give its terms.

    makers: of the sources whose vectors are made here, by their names.
    Raises DataError for files that cannot be had.
    """
    with writing_folder(path) as folder:
        _write(settings, makers, folder)
        facts = {
            "source": settings.source,
            "format": settings.format if settings.source == "local" else "auto",
            "width": settings.width,
            "terms": TERMS[settings.source],
            "files_bytes": {file.name: file.stat().st_size for file in sorted(folder.iterdir())},
        }
        write_json(folder / "source.json", facts)
    return TERMS[settings.source]


def _write(settings: Vectors, makers: Mapping[str, Maker], folder: Path) -> None:
    """Write a source's files into a folder; `random` has none."""
    if settings.source in makers:
        makers[settings.source](folder)
    elif settings.source == "local":
        for file in _local(settings):
            copy_file(file, folder / file.name)
    elif settings.source in GLOVE:
        archives.unpack(
            _fetch(GLOVE[settings.source]), folder, lambda name: f".{settings.width}d." in name
        )


def _local(settings: Vectors) -> list[Path]:
    try:
        return locate.files_of(Path(settings.file), settings.format)
    except DataError as error:
        raise DataError(f"vectors.file: {error}") from None


def _fetch(remotes: tuple[Remote, ...]) -> Path:
    """Give the file in the cache: that of the first publisher that it can be had from."""
    here = [remote for remote in remotes if downloads.place(remote).exists()]
    failures = []
    for remote in here or remotes:
        try:
            return downloads.fetch(remote)
        except DownloadError as error:
            log.warning("%s cannot be had there: %s", remote.url, str(error).partition("\n")[0])
            failures.append(str(error))
    raise DownloadError("\n".join(failures))
