"""Stage tokenize: turn every text into token ids (named so as not to hide Python's tokenize)."""

from __future__ import annotations

from _stage import run, say
from twotower.artifacts import (
    count_pretrained,
    read_corpus,
    read_identities,
    read_unit,
    read_words,
    write_tokens,
)
from twotower.config import Params
from twotower.text.identities import count_identities
from twotower.text.tokenizer import Tokenizer, loss_by_split
from twotower.text.units import splitter


def main(params: Params) -> None:
    """Tokenize passages and queries; write their stores and how much was lost."""
    corpus, tokenizer = read_corpus(), Tokenizer(read_words(), splitter(read_unit()))
    passages = tokenizer(corpus.passages["text"], params.tokenize.max_passage_tokens)
    queries = tokenizer(corpus.queries["text"], params.tokenize.max_query_tokens)
    counts = loss_by_split(passages, queries, corpus.queries["split"], count_pretrained())
    identities = count_identities(passages.store, read_identities())
    write_tokens({"passages": passages.store, "queries": queries.store}, counts, identities)
    for texts, loss in counts.items():
        say(loss, texts)


if __name__ == "__main__":
    run(main)
