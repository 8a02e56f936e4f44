"""Stage vocab: give ids to the corpus's words and keep the pretrained vectors that they have."""

from __future__ import annotations

from functools import partial

from _stage import run, say
from twotower.artifacts import VECTORS, read_corpus, require, write_vocabulary
from twotower.config import Params
from twotower.files import read_json
from twotower.text import units, vocabulary
from twotower.text.vectors.readers import read_vectors


def main(params: Params) -> None:
    """Count words, read their vectors, write both."""
    source = read_json(require(VECTORS, "vectors") / "source.json")
    unit = units.choose(params.vocab.unit, lower_case=params.vocab.lower_case, folder=VECTORS)
    read = partial(read_vectors, VECTORS, source["format"], source["width"])
    built = vocabulary.build(
        read_corpus(),
        unit,
        None if source["source"] == "random" else read,
        source["width"],
        params.vocab,
    )
    write_vocabulary(built)
    say(built.counts)


if __name__ == "__main__":
    run(main)
