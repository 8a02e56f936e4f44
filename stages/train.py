"""Stage train: train the towers on the train split; dev chooses the epoch that is kept."""

from __future__ import annotations

import logging

from _stage import run
from twotower import artifacts, devices, tracking
from twotower.config import Params
from twotower.data import rows
from twotower.files import fingerprint
from twotower.towers import model
from twotower.training import checkpoint, loop, negatives
from twotower.training.dev import make_dev_set
from twotower.training.pairs import Texts, make_pairs
from twotower.training.settings import Settings
from twotower.training.step import Material


def main(params: Params) -> None:
    """Train, or go on where a killed training stopped; then write the model and its curves."""
    device, seed = devices.choose(params.device), params.seed
    devices.seed_everything(seed, device)
    corpus = artifacts.read_corpus(passage_texts=False)
    if corpus.counts["smoke"]:
        logging.info("smoke set: the figures below only show that training works")
    texts = Texts(artifacts.read_tokens("queries"), artifacts.read_tokens("passages"))
    pairs = make_pairs(*rows.relevant(corpus, "train"))
    mined = rows.found(corpus, artifacts.read_runs(artifacts.MINED, "mine")["bm25"])
    sources = negatives.gather(pairs, len(texts.passages), rows.unselected(corpus), mined)
    for kind in negatives.missing(params.negatives, sources):
        logging.warning("negatives.%s: this corpus has none", kind)
    dev_set = make_dev_set(texts, *rows.relevant(corpus, "dev")[:2], params.train.dev_pool, seed)
    settings = Settings(
        params.model, params.train, params.negatives, seed, device, params.embed.batch_tokens
    )
    keeper = checkpoint.Keeper(artifacts.scratch() / "checkpoints", settings)
    with tracking.training_run(params, keeper.note) as tracked:
        keeper.note = tracked.run_id
        towers = model.start(params.model, artifacts.read_word_vectors(), seed)
        material = Material(pairs, texts, sources)
        result = loop.train(
            towers, material, dev_set, settings, report=tracked.report, keeper=keeper
        )
        model.save(towers, params.tokenize)
        artifacts.write_training_log(result.steps, result.epochs)
        tracking.name_model(tracked, fingerprint(artifacts.MODEL))
    keeper.remove()
    logging.info("kept epoch %d of %d", result.best_epoch, len(result.epochs) - 1)


if __name__ == "__main__":
    run(main)
