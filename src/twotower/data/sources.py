"""Where raw files come from: one record a source, behind one interface.

A source fetches its own bytes into a folder with two parts: `corpus/` (files of one of the formats
that `readers` knows) and `vectors/` (one vector file, or a zip that holds it). A new source is a
module with a `fetch` function and one line in SOURCES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twotower.artifacts import RAW
from twotower.config import Data
from twotower.data import local, sample
from twotower.files import write_json, writing_folder


@dataclass(frozen=True)
class Source:
    """What is known of a source before anything is fetched."""

    fetch: Callable[[Data, Path], None]
    """Writes corpus/ and vectors/ into the given folder."""
    smoke: bool
    """True: figures on it only show that the pipeline works, and are marked so everywhere."""
    terms: str
    """Licence and terms of use, printed once at download."""


SOURCES: dict[str, Source] = {
    "sample": Source(
        fetch=lambda _data, folder: sample.write_sample(folder),
        smoke=True,
        terms="generated text without a licence of its own; figures on it are smoke figures",
    ),
    "local": Source(
        fetch=local.copy,
        smoke=False,
        terms="your own files: their terms are yours to know (MS MARCO: non-commercial research)",
    ),
}


def download(data: Data, path: Path = RAW) -> Source:
    """Fetch the chosen source's raw files, byte for byte, into `path`."""
    source = SOURCES[data.source]
    with writing_folder(path) as folder:
        source.fetch(data, folder)
        write_json(folder / "source.json", {"source": data.source, "smoke": source.smoke})
    return source
