"""Stage index: build the FAISS index over the passage matrix."""

from __future__ import annotations

from _stage import run
from twotower.artifacts import read_embeddings
from twotower.config import Params
from twotower.retrieval import index


def main(params: Params) -> None:
    """Build and write it."""
    del params  # a flat index has none
    index.build(*read_embeddings())


if __name__ == "__main__":
    run(main)
