"""Stage vocab: give ids to the corpus's words and keep the pretrained vectors that they have."""

from __future__ import annotations

from _stage import run, say
from twotower.artifacts import RAW, read_corpus, require, write_vocabulary
from twotower.config import Params
from twotower.text import vocabulary


def main(params: Params) -> None:
    """Count words, read their vectors, write both."""
    vectors = require(RAW, "download") / "vectors"
    built = vocabulary.build(read_corpus(), vectors, params.vocab.width, params.vocab.min_count)
    write_vocabulary(built)
    say(built.counts)


if __name__ == "__main__":
    run(main)
