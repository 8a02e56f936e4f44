"""Stage download: fetch the chosen source's raw corpus files, byte for byte, into data/raw."""

from __future__ import annotations

import logging

from _stage import run
from twotower.config import Params
from twotower.data import sources


def main(params: Params) -> None:
    """Fetch, and print the source's terms once."""
    source = sources.download(params.download)
    logging.info("source %s. Terms: %s", params.download.source, source.terms)


if __name__ == "__main__":
    run(main)
