"""Stage bm25: run the lexical baseline on the dev and evaluation queries."""

from __future__ import annotations

from _stage import run
from twotower.artifacts import BM25, read_corpus, write_runs
from twotower.config import Params
from twotower.data import rows
from twotower.retrieval import bm25


def main(params: Params) -> None:
    """Search and write the run."""
    corpus = read_corpus()
    found = bm25.search(corpus.passages, rows.asked(corpus), params.evaluate.depth, params.bm25)
    write_runs({"bm25": found}, BM25)


if __name__ == "__main__":
    run(main)
