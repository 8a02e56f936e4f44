"""Stage describe: report what the data holds, before anyone trains on it."""

from __future__ import annotations

import logging

from _stage import run
from twotower.artifacts import DATA_PAGE
from twotower.config import Params
from twotower.data import card


def main(params: Params) -> None:
    """Gather what the stages counted, and write the data card."""
    del params  # it only tells what is there
    card.write(card.collect())
    logging.info("the data card is %s", DATA_PAGE)


if __name__ == "__main__":
    run(main)
