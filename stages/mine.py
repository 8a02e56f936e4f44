"""Stage mine: let BM25 find passages for the training queries, to be negatives."""

from __future__ import annotations

from _stage import run
from twotower.artifacts import MINED, read_corpus, write_runs
from twotower.config import Bm25, Params
from twotower.data import rows
from twotower.retrieval import bm25
from twotower.retrieval.runs import no_run


def main(params: Params) -> None:
    """Search and write the run; an empty one if mine.depth is 0."""
    found = no_run()
    if params.mine.depth:
        corpus = read_corpus()
        queries, how = rows.training(corpus), Bm25(params.mine.k1, params.mine.b)
        found = bm25.search(corpus.passages, queries, params.mine.depth, how)
    write_runs({"bm25": found}, MINED)


if __name__ == "__main__":
    run(main)
