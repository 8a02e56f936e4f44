"""Stage prepare: read the raw files in their format and write the canonical corpus."""

from __future__ import annotations

from _stage import run, say
from twotower.artifacts import RAW, require, write_corpus
from twotower.config import Params
from twotower.data import corpus, readers
from twotower.files import read_json


def main(params: Params) -> None:
    """Read, clean, count and write."""
    source = read_json(require(RAW, "download") / "source.json")
    raw = readers.read(RAW / "corpus", source["format"], params.data)
    built = corpus.build(raw, params.data, params.seed, smoke=source["smoke"])
    write_corpus(built)
    say(built.counts["passages"], "passages")
    for split, of_split in built.counts["found"].items():
        say({name: count for name, count in of_split.items() if count}, f"{split} in the files")


if __name__ == "__main__":
    run(main)
