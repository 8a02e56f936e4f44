"""Stage evaluate: measure the dense model beside every baseline, over the same pool and queries."""

from __future__ import annotations

import logging

from _stage import run
from twotower import artifacts, devices, files, tracking
from twotower.config import Params
from twotower.data import rows
from twotower.evaluation import report, summary, systems
from twotower.retrieval import index
from twotower.retrieval.runs import make_run
from twotower.retrieval.searcher import search_tokens
from twotower.towers import model


def main(params: Params) -> None:
    """Search, judge every system, write what was found, and add it to the model's MLflow run."""
    corpus, device = artifacts.read_corpus(passage_texts=False), devices.choose(params.device)
    asked = rows.asked(corpus)
    queries = artifacts.read_tokens("queries").take(asked["row"].to_numpy())
    trained = files.fingerprint(artifacts.MODEL)
    built = index.load(trained, len(corpus.passages))
    towers = model.load().to(device)
    scores, found = search_tokens(towers, built, queries, params.evaluate.depth, device)
    ready = artifacts.read_runs(artifacts.UNTRAINED, "untrained")
    ready |= artifacts.read_runs(artifacts.BM25, "bm25")
    ready["dense"] = make_run(asked["qid"], corpus.passages["pid"], scores, found)
    runs, weight = systems.assemble(corpus, asked, ready, params.evaluate, params.seed)
    reports = report.evaluate(corpus, runs, params.evaluate, params.seed)
    figures = summary.collect(corpus, reports, weight)
    report.write(corpus, reports, runs, figures)
    tracking.add_results(params, trained, summary.flatten(figures))
    logging.info("\n%s", summary.table(figures))


if __name__ == "__main__":
    run(main)
