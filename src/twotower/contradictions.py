"""Which parameters, each legal by itself, cannot go together: said before any work starts."""

from __future__ import annotations

from collections.abc import Iterator

from twotower.config import RECURRENT, Model, Params, Train

WIDTHS = {
    "sample": (50,),
    "glove-6B": (50, 100, 200, 300),
    "glove-42B": (300,),
    "glove-840B": (300,),
    "glove-twitter-27B": (25, 50, 100, 200),
}
"""Numbers a vector of the sources that have some widths alone."""


def contradictions(params: Params) -> Iterator[str]:
    """Say which values, each legal, cannot go together."""
    vectors = params.vectors
    widths = WIDTHS.get(vectors.source, (vectors.width,))
    if vectors.width not in widths:
        legal = " | ".join(map(str, widths))
        yield f"vectors.width: {vectors.source} has none of {vectors.width} numbers; legal: {legal}"
    if params.vocab.unit == "wordpieces" and vectors.source != "local":
        yield (
            f"vocab.unit: wordpieces are those of a model folder, and vectors.source is "
            f"{vectors.source}; set it to local, and vectors.file to the folder"
        )
    if params.vocab.identity == "stem" and params.vocab.unit != "words":
        yield f"vocab.identity: {params.vocab.unit} have no stem; set it to word"
    if params.vocab.stop_words == "drop" and params.vocab.unit != "words":
        yield f"vocab.stop_words: {params.vocab.unit} are no words; set it to keep"
    if params.vocab.stop_words == "drop" and params.model.token_weights == "none":
        yield "vocab.stop_words: words weigh all alike (model.token_weights: none); set it to keep"
    yield from _tower_contradictions(params.model, vectors.width)
    yield from _training_contradictions(params)


def _tower_contradictions(model: Model, vector_width: int) -> Iterator[str]:
    query = model.of_queries
    if query != model.encoder and model.share == "towers":
        yield "model.query_encoder: another one than model.encoder cannot share towers; share table"
    widths = {encoder_width(name, model, vector_width) for name in (model.encoder, query)}
    if len(widths) > 1 and not model.projection:
        sizes = " and ".join(map(str, sorted(widths)))
        yield f"model.projection: the towers' vectors have {sizes} numbers; give both a projection"
    if vector_width and not model.vector_scale and not model.random_dims:
        yield "model.vector_scale: 0 without random dimensions makes every vector zeros"
    if (
        model.reads == "pretrained"
        and not model.vector_scale
        and {query, model.encoder} & set(RECURRENT)
    ):
        yield "model.reads: pretrained vectors of length 0 (model.vector_scale) tell nothing"
    after = model.projection or model.layer_norm or not model.random_dims
    if model.anchored and (model.similarity != "cosine" or after):
        yield (
            "model.anchor: it needs a cosine, random dimensions, no projection and no layer norm; "
            "set it to 0"
        )


def _anything_to_train(model: Model, train: Train, vector_width: int) -> bool:
    """Whether the first epoch has a weight that moves."""
    encoders = {model.encoder, model.of_queries}
    own = vector_width > 0 and model.vector_scale > 0
    identities = model.random_dims > 0 and train.identities_learning_rate > 0
    weighted = "average" in encoders or model.residual
    return (
        (train.table_from_epoch == 1 and (own or identities))
        or (model.token_weights == "learned" and weighted)
        or bool(encoders & set(RECURRENT))
        or model.projection > 0
        or model.layer_norm
    )


def encoder_width(name: str, model: Model, vector_width: int) -> int:
    """Numbers that an encoder gives, before any projection."""
    if name == "average" or model.residual:
        return (vector_width if model.vector_scale else 0) + model.random_dims
    return model.hidden * (2 if model.bidirectional else 1)


def _training_contradictions(params: Params) -> Iterator[str]:
    train, negatives = params.train, params.negatives
    if train.loss == "triplet" and not train.margin:
        yield "train.margin: 0 is met by towers that map everything to one point; give it some"
    if negatives.bm25 and not params.mine.depth:
        yield "negatives.bm25: needs mine.depth above 0, the passages that BM25 finds a query"
    if not _anything_to_train(params.model, train, params.vectors.width):
        yield (
            "train.table_from_epoch: nothing is left to train in the first epoch; set it to 1, or "
            "model.token_weights to learned"
        )
    if negatives.first_rank > negatives.last_rank:
        yield "negatives.first_rank: is below last_rank in the list; set it to at most that"
