"""Stage untrained: run the dense baselines that need no training, the model's start included."""

from __future__ import annotations

from _stage import run
from twotower import devices
from twotower.artifacts import UNTRAINED, read_corpus, read_tokens, read_word_vectors, write_runs
from twotower.config import Params
from twotower.data import rows
from twotower.retrieval import untrained
from twotower.retrieval.runs import make_run


def main(params: Params) -> None:
    """Encode and search with each of them; write their runs."""
    corpus, device = read_corpus(passage_texts=False), devices.choose(params.device)
    vectors = read_word_vectors()
    asked, passages = rows.asked(corpus), read_tokens("passages")
    queries = read_tokens("queries").take(asked["row"].to_numpy())
    depth, tokens, runs = params.evaluate.depth, params.embed.batch_tokens, {}
    for system in untrained.SYSTEMS:
        towers = untrained.towers(system, params.model, vectors, params.seed)
        width = params.embed.width if system == "start" else 0
        scores, found = untrained.search(
            towers, queries, passages, depth, device=device, batch_tokens=tokens, width=width
        )
        runs[system] = make_run(asked["qid"], corpus.passages["pid"], scores, found)
    write_runs(runs, UNTRAINED)


if __name__ == "__main__":
    run(main)
