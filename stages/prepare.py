"""Stage prepare: read the raw files in their format and write the canonical corpus."""

from __future__ import annotations

import logging

from _stage import run
from twotower.artifacts import RAW, is_smoke, require, write_corpus
from twotower.config import Params
from twotower.data import corpus, readers


def main(params: Params) -> None:
    """Read, clean, count and write."""
    raw = readers.read(require(RAW, "download") / "corpus", params.data.format)
    built = corpus.build(raw, smoke=is_smoke())
    write_corpus(built)
    logging.info("%d passages, %d queries", len(built.passages), len(built.queries))


if __name__ == "__main__":
    run(main)
