"""Stage vectors: fetch the chosen word vectors into data/vectors, or train them on the corpus."""

from __future__ import annotations

import logging
from pathlib import Path

from _stage import run
from twotower.artifacts import read_corpus
from twotower.config import Params
from twotower.data import sample
from twotower.text import units
from twotower.text.vectors import sources, trained
from twotower.text.vocabulary import counted_texts
from twotower.text.words import blocks


def main(params: Params) -> None:
    """Fetch or train, and print the source's terms once."""
    settings, unit, lower_case = params.vectors, params.vocab.unit, params.vocab.lower_case

    def train(folder: Path) -> None:
        split = units.splitter(units.choose(unit, lower_case=lower_case, folder=folder))
        words = list(blocks(counted_texts(read_corpus()), split))
        trained.train(trained.sentences(words), folder / "corpus.bin", settings, params.seed)

    terms = sources.fetch(settings, {"sample": sample.write_word_vectors, "corpus": train})
    logging.info("vectors %s, %d numbers each. Terms: %s", settings.source, settings.width, terms)


if __name__ == "__main__":
    run(main)
