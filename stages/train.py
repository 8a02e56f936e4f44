"""Stage train: train the towers on the train split; dev chooses the epoch that is kept."""

from __future__ import annotations

import logging

from _stage import run
from twotower import devices, tracking
from twotower.artifacts import (
    MODEL,
    read_corpus,
    read_tokens,
    read_word_vectors,
    write_training_log,
)
from twotower.config import Params
from twotower.data import rows
from twotower.files import fingerprint
from twotower.towers import model
from twotower.training.dev import make_dev_set
from twotower.training.loop import train
from twotower.training.pairs import Texts, make_pairs


def main(params: Params) -> None:
    """Train, then write the model and its curves."""
    device, config = devices.choose(params.device), params.train
    devices.seed_everything(params.seed, device)
    corpus = read_corpus(passage_texts=False)
    if corpus.counts["smoke"]:
        logging.info("smoke set: the figures below only show that training works")
    texts = Texts(read_tokens("queries"), read_tokens("passages"))
    pairs = rows.relevant(corpus, "train")
    dev = rows.relevant(corpus, "dev")
    with tracking.training_run(params) as tracked:
        towers = model.start(params.model, read_word_vectors(), params.seed)
        result = train(
            towers,
            make_pairs(pairs.query_rows, pairs.passage_rows, pairs.text_ids),
            texts,
            make_dev_set(texts, dev.query_rows, dev.passage_rows, config.dev_pool, params.seed),
            config,
            seed=params.seed,
            device=device,
            batch_tokens=params.embed.batch_tokens,
            report=tracked.report,
        )
        model.save(towers, params.tokenize)
        write_training_log(result.steps, result.epochs)
        tracking.name_model(tracked, fingerprint(MODEL))
    logging.info("kept epoch %d of %d", result.best_epoch, config.epochs)


if __name__ == "__main__":
    run(main)
