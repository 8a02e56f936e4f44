"""Where corpora come from: one record a source, behind one interface.

A source writes its own bytes, in one of the formats that `readers` knows, into `corpus/` of
data/raw; source.json beside it says what they are. A new source is one `fetch` function and one
line in SOURCES.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twotower import downloads
from twotower.artifacts import RAW
from twotower.config import Download
from twotower.data import hub, local, passage_ranking, readers, sample
from twotower.data.remote_files import BEIR, MSMARCO_PASSAGE
from twotower.errors import DataError
from twotower.files import copy_file, write_json, writing_folder

log = logging.getLogger(__name__)

MSMARCO_TERMS = (
    "MS MARCO: for non-commercial research only, as is, without any licence "
    "(https://microsoft.github.io/msmarco/); using it means agreeing to its terms"
)
HUB_REPOSITORY = "microsoft/ms_marco"


@dataclass(frozen=True)
class Source:
    """What is known of a source before anything is fetched."""

    fetch: Callable[[Download, Path], str]
    """Writes the corpus's files into the given folder; gives the revision, or nothing."""
    format: str
    """The format of its files; `auto` for the user's own."""
    terms: str
    """Licence and terms of use, printed once at download."""
    smoke: bool = False
    """True: figures on it only show that the pipeline works, and are marked so everywhere."""


def download(settings: Download, path: Path = RAW) -> Source:
    """Fetch the chosen source's raw files, byte for byte, into `path`."""
    source = SOURCES[settings.source]
    with writing_folder(path) as folder:
        corpus = folder / "corpus"
        corpus.mkdir()
        revision = source.fetch(settings, corpus)
        named = settings.format if source.format == "auto" else source.format
        facts = {
            "source": settings.source,
            "smoke": source.smoke,
            "format": readers.choose(corpus, named),
            "terms": source.terms,
            "revision": revision,
            "files_bytes": _files_bytes(corpus),
        }
        write_json(folder / "source.json", facts)
    return source


def _files_bytes(folder: Path) -> dict[str, int]:
    """Give the sizes of a folder's files; a name that is no text cannot be told in any file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files}
    for name in sizes:
        if name.encode("utf-8", "replace").decode("utf-8") != name:
            raise DataError(f"the file name {name!r} is not UTF-8; rename the file")
    return sizes


def _sample(_settings: Download, folder: Path) -> str:
    sample.write_corpus(folder)
    return ""


def _local(settings: Download, folder: Path) -> str:
    local.fetch(Path(settings.folder), settings.format, folder)
    return ""


def _hub(config: str) -> Callable[[Download, Path], str]:
    return lambda settings, folder: hub.fetch(HUB_REPOSITORY, settings.revision, config, folder)


def _passage(settings: Download, folder: Path) -> str:
    """Unpack Microsoft's archive, and take TREC's files where the user has put them."""
    local.unpack(downloads.fetch(MSMARCO_PASSAGE), "passage-ranking", folder)
    given = Path(settings.folder)
    for file in sorted(given.iterdir()) if given.is_dir() else []:
        if passage_ranking.is_trec(file.name):
            log.info("with %s, of %s", file.name, given)
            copy_file(file, folder / file.name)
    return MSMARCO_PASSAGE.checksum


def _beir(settings: Download, folder: Path) -> str:
    local.unpack(downloads.fetch(BEIR[settings.name]), "beir", folder)
    return f"{settings.name} {BEIR[settings.name].checksum}"


SOURCES: dict[str, Source] = {
    "sample": Source(
        _sample,
        "qna",
        "generated text without a licence of its own; figures on it are smoke figures",
        smoke=True,
    ),
    "local": Source(
        _local,
        "auto",
        "your own files: their terms are yours to know (MS MARCO: non-commercial research)",
    ),
    "msmarco-v1.1": Source(_hub("v1.1"), "qna", MSMARCO_TERMS),
    "msmarco-v2.1": Source(_hub("v2.1"), "qna", MSMARCO_TERMS),
    "msmarco-passage": Source(_passage, "passage-ranking", MSMARCO_TERMS),
    "beir": Source(
        _beir,
        "beir",
        "BEIR: each set has its owner's terms (docs/data.md), and BEIR grants no licence to any",
    ),
}
