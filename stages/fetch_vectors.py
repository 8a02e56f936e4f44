"""Stage vectors: fetch the chosen word vectors into data/vectors, or train them on the corpus."""

from __future__ import annotations

import logging
from pathlib import Path

from _stage import run
from twotower.artifacts import read_corpus
from twotower.config import Params
from twotower.text import units
from twotower.text.vectors import sources, trained
from twotower.text.vocabulary import counted_texts
from twotower.text.words import blocks


def main(params: Params) -> None:
    """Fetch or train, and print the source's terms once."""
    settings = params.vectors

    def train(path: Path) -> None:
        vocab, folder = params.vocab, path.parent
        split = units.splitter(units.choose(vocab.unit, lower_case=vocab.lower_case, folder=folder))
        texts = counted_texts(read_corpus())
        trained.train(
            trained.sentences(lambda: blocks(texts, split)),
            path,
            width=settings.width,
            window=settings.window,
            epochs=settings.epochs,
            seed=params.seed,
        )

    terms = sources.fetch(settings, train)
    logging.info("vectors %s, %d numbers each. Terms: %s", settings.source, settings.width, terms)


if __name__ == "__main__":
    run(main)
