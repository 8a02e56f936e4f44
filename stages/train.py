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
    device = devices.choose(params.device)
    devices.seed_everything(params.seed, device)
    corpus, texts = read_corpus(), Texts(read_tokens("queries"), read_tokens("passages"))
    pairs, dev = rows.relevant(corpus, "train"), rows.relevant(corpus, "dev")
    with tracking.training_run(params) as tracked:
        towers = model.start(params.model, read_word_vectors(), params.seed)
        result = train(
            towers,
            make_pairs(pairs.query_rows, pairs.passage_rows, pairs.text_ids),
            texts,
            make_dev_set(
                texts, dev.query_rows, dev.passage_rows, params.train.dev_pool, params.seed
            ),
            params.train,
            seed=params.seed,
            device=device,
            batch_tokens=params.embed.batch_tokens,
            report=tracked.report,
        )
        model.save(towers, params.tokenize)
        write_training_log(result.steps, result.epochs)
        tracking.name_model(tracked, fingerprint(MODEL))
    logging.info("kept epoch %d of %d", result.best_epoch, params.train.epochs)


if __name__ == "__main__":
    run(main)
