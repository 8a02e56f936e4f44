"""Every parameter of params.yaml, with its legal values: a dataclass a section.

There are no defaults here: each parameter stands in params.yaml. `params.load` reads them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from twotower.typed_yaml import NotEmpty, OneOf, Within

BEIR_SETS = ("fever", "fiqa", "hotpotqa", "msmarco", "nfcorpus", "scifact")
"""Those with a train split."""


@dataclass(frozen=True)
class Download:
    """Where the corpus comes from."""

    source: Annotated[
        str, OneOf(("sample", "local", "msmarco-v1.1", "msmarco-v2.1", "msmarco-passage", "beir"))
    ]
    """The source's name; the keys below are read only by the sources that need them."""
    folder: Annotated[str, NotEmpty()]
    """local: folder or archive of the corpus; msmarco-passage: folder with TREC DL's files."""
    format: Annotated[str, OneOf(("auto", "passage-ranking", "qna", "beir", "pairs"))]
    """local: layout of the files; auto looks at them."""
    revision: Annotated[str, NotEmpty()]
    """msmarco-v1.1, msmarco-v2.1: commit, tag or branch of the hub's repository."""
    name: Annotated[str, OneOf(BEIR_SETS)]
    """beir: which of its sets."""


@dataclass(frozen=True)
class Data:
    """How the raw files become the canonical corpus."""

    test: Annotated[str, NotEmpty()]
    """The split that is evaluated; auto: every labelled one but train and dev, else dev itself."""
    held_out_queries: Annotated[int, Within(1, 1_000_000)]
    """Train queries, at most a fifth, that become dev (and test) where the source has none."""
    train_labels: Annotated[str, OneOf(("selected", "all"))]
    """qna: what is relevant in train: selected passages, or all candidates (weak labels)."""
    overlap_queries: Annotated[str, OneOf(("remove", "count"))]
    """Queries of train or dev that an evaluated split has too (or dev): removed, or counted."""
    overlap_positives: Annotated[str, OneOf(("remove", "count"))]
    """Relevant passages that an evaluated split has too: removed from train's, or only counted."""
    repair: bool
    """Mend text that was decoded wrongly before it was saved (mojibake)."""
    cut: Annotated[str, OneOf(("all", "train"))]
    """What the next two cut: every split and the passages with it, or train's queries alone."""
    fraction: Annotated[float, Within(0, 1, above=True)]
    """Share of a split's queries that is kept."""
    max_queries: Annotated[int, Within(0, 1_000_000_000)]
    """At most this many queries with a relevant passage are kept of a split; 0 = all."""
    query_column: Annotated[str, NotEmpty()]
    """pairs: name of the column with the queries."""
    document_column: Annotated[str, NotEmpty()]
    """pairs: name of the column with the passages."""
    label_column: Annotated[str, NotEmpty()]
    """pairs: name of the column with 1 (relevant), 0 (not) or -1 (unknown)."""
    positive_column: Annotated[str, NotEmpty()]
    """pairs, as triplets: name of the column with the relevant passage."""
    negative_column: Annotated[str, NotEmpty()]
    """pairs, as triplets: name of the column with the passage that is not relevant."""


@dataclass(frozen=True)
class Vectors:
    """Where the word vectors come from."""

    source: Annotated[
        str,
        OneOf(
            (
                "sample",
                "local",
                "glove-6B",
                "glove-42B",
                "glove-840B",
                "glove-twitter-27B",
                "corpus",
                "random",
            )
        ),
    ]
    """The source's name; corpus trains them on the corpus, random has none."""
    file: Annotated[str, NotEmpty()]
    """local: vector file, archive that holds it, model folder, or folder with one of these."""
    format: Annotated[str, OneOf(("auto", "glove", "word2vec", "word2vec-binary", "model"))]
    """local: auto looks at the file."""
    width: Annotated[int, Within(1, 4096)]
    """Numbers a vector."""
    window: Annotated[int, Within(1, 100)]
    """corpus: words on either side that count as near."""
    epochs: Annotated[int, Within(1, 1000)]
    """corpus: passes over all texts."""


@dataclass(frozen=True)
class Vocab:
    """What texts are split into, and which of it gets an id."""

    unit: Annotated[str, OneOf(("words", "wordpieces", "characters"))]
    """wordpieces: as the tokenizer of the model folder has them that is vectors' local file."""
    lower_case: bool
    """words, characters: lower-case texts first; a model's tokenizer decides for itself."""
    min_count: Annotated[int, Within(0, 1_000_000)]
    """Corpus words that the vectors lack are kept from this count on; 0 keeps none of them."""
    identity: Annotated[str, OneOf(("word", "stem"))]
    """Which words are one thing to the towers: the same word, or the same stem (English)."""
    stop_words: Annotated[str, OneOf(("keep", "drop"))]
    """drop: English stop words and what has no letter or digit get no identity, so no weight."""


@dataclass(frozen=True)
class Tokenize:
    """How much of each text is kept."""

    max_query_tokens: Annotated[int, Within(1, 100_000)]
    max_passage_tokens: Annotated[int, Within(1, 100_000)]


RECURRENT = ("rnn", "gru", "lstm")


@dataclass(frozen=True)
class Model:
    """The towers."""

    encoder: Annotated[str, OneOf(("average", *RECURRENT))]
    query_encoder: Annotated[str, OneOf(("same", "average", *RECURRENT))]
    """Another encoder for the queries."""
    share: Annotated[str, OneOf(("towers", "table", "nothing"))]
    """What both towers have in common; what they have not starts equal."""
    similarity: Annotated[str, OneOf(("cosine", "dot", "euclidean"))]
    """Of training, dev, index and search alike; euclidean is the negative distance."""
    vector_scale: Annotated[float, Within(0, 100)]
    """Length that each pretrained vector is given in the table; the random part has about 1."""
    centre: bool
    """Subtract the pretrained vectors' mean first: what all words share tells none apart."""
    random_dims: Annotated[int, Within(0, 8192)]
    """Seeded random dimensions beside the pretrained ones, a vector an identity."""
    token_weights: Annotated[str, OneOf(("none", "idf", "learned"))]
    """average, residual: how much each token counts; learned is idf times a learned factor."""
    weights_per_side: bool
    """Learned factors of their own for queries and for passages; always so if nothing is shared."""
    saturation: Annotated[float, Within(0, 100)]
    """average, residual: k1 of BM25 for a passage's repeated words; 0: each occurrence counts."""
    length_norm: Annotated[float, Within(0, 1)]
    """b of BM25, with saturation: repeats count for less in long passages."""
    lead: Annotated[float, Within(0, 100)]
    """average, residual: how much more a passage's first token counts, in occurrences."""
    lead_tokens: Annotated[float, Within(0, 10_000, above=True)]
    """Tokens after which that extra has fallen to 1/e."""
    anchor: Annotated[float, Within(0, 100)]
    """average, residual: a fixed dimension of passages, in lengths of a mean passage."""
    hidden: Annotated[int, Within(1, 8192)]
    """rnn, gru, lstm: width of the state, in one direction."""
    layers: Annotated[int, Within(1, 16)]
    """rnn, gru, lstm: one reads the states of the one before."""
    bidirectional: bool
    """rnn, gru, lstm: read in both directions; doubles the output's width."""
    pooling: Annotated[str, OneOf(("mean", "max", "last", "attention"))]
    """rnn, gru, lstm: from states to one vector."""
    reads: Annotated[str, OneOf(("all", "pretrained"))]
    """rnn, gru, lstm: the part of a word's vector that the cells read."""
    residual: bool
    """rnn, gru, lstm: added to the weighted average, as a change that starts at zero."""
    projection: Annotated[int, Within(0, 8192)]
    """Numbers a vector after a last linear layer; 0: no such layer."""
    layer_norm: bool
    """Normalise the pooled vector before the projection."""
    dropout: Annotated[float, Within(0, 0.95)]
    """Share of numbers dropped in training: of pooled vectors, and between recurrent layers."""

    @property
    def of_queries(self) -> str:
        """The encoder of the queries."""
        return self.encoder if self.query_encoder == "same" else self.query_encoder

    @property
    def anchored(self) -> bool:
        """Whether vectors have the anchor's dimension: passages are averages, at least in part."""
        return self.anchor > 0 and (self.encoder == "average" or self.residual)


@dataclass(frozen=True)
class Train:
    """How the towers are trained."""

    loss: Annotated[str, OneOf(("triplet", "softmax"))]
    hardness: Annotated[str, OneOf(("all", "random", "hardest", "semi-hard"))]
    """triplet: which of a query's negatives count."""
    margin: Annotated[float, Within(0, 100)]
    """By how much a positive must outscore each negative; softmax: taken off the positive."""
    temperature: Annotated[float, Within(0, 10, above=True)]
    """softmax: scores are divided by it."""
    both_directions: bool
    """The loss of passages choosing their query as well, half and half."""
    halvings: Annotated[int, Within(0, 10)]
    """Matryoshka: the loss also on the first half, quarter, ... of each vector, this many times."""
    epochs: Annotated[int, Within(1, 10_000)]
    batch_size: Annotated[int, Within(2, 1_000_000)]
    """Pairs a step; all other passages of the batch are negatives."""
    chunk_size: Annotated[int, Within(0, 1_000_000)]
    """Texts encoded at a time, with cached gradients: bounds memory; 0: all.

    Each chunk has a dropout of its own; else nothing changes.
    """
    optimiser: Annotated[str, OneOf(("adam", "adamw"))]
    """Of all but the table, which has Adam by rows: a step costs what its batch touches."""
    weight_decay: Annotated[float, Within(0, 10)]
    """adamw: share of the rate by which weights shrink a step."""
    learning_rate: Annotated[float, Within(0, 10, above=True)]
    """Of cells, projections and norms."""
    table_learning_rate: Annotated[float, Within(0, 10, above=True)]
    """Of words' own part of the table."""
    identities_learning_rate: Annotated[float, Within(0, 10)]
    """Of its random dimensions; 0: they stay as they are."""
    weights_learning_rate: Annotated[float, Within(0, 10, above=True)]
    """Of the learned token weights."""
    warmup: Annotated[float, Within(0, 1)]
    """Share of all steps over which the rates rise from 0."""
    decay: Annotated[str, OneOf(("none", "linear", "cosine"))]
    """How the rates fall to 0 afterwards."""
    clip_norm: Annotated[float, Within(0, 1e9)]
    """Longest gradient, longer ones are scaled; 0: no limit."""
    table_from_epoch: Annotated[int, Within(0, 10_000)]
    """First epoch in which the table is trained; 0: never (frozen)."""
    precision: Annotated[str, OneOf(("auto", "float32", "bfloat16"))]
    """auto: bfloat16 on CUDA, float32 elsewhere."""
    dev_pool: Annotated[int, Within(0, 1_000_000_000)]
    """Passages that the dev queries search after each epoch, seeded; 0 = all."""
    patience: Annotated[int, Within(0, 10_000)]
    """Epochs without a better dev MRR@10 after which training ends; 0: it does not."""
    collapse_cosine: Annotated[float, Within(0, 1, above=True)]
    """Training stops when different passages, or queries, of a batch are this alike on average."""


@dataclass(frozen=True)
class Negatives:
    """Negatives beside the batch's own passages: how many a query brings, for all of the batch."""

    random: Annotated[int, Within(0, 1000)]
    unselected: Annotated[int, Within(0, 1000)]
    """Passages listed for the query and known not to be relevant."""
    bm25: Annotated[int, Within(0, 1000)]
    """What BM25 finds for the query (mine.depth)."""
    own: Annotated[int, Within(0, 1000)]
    """What the towers themselves find for it."""
    refresh_epochs: Annotated[int, Within(1, 10_000)]
    """own: epochs after which the towers search again."""
    first_rank: Annotated[int, Within(1, 10_000)]
    """own: best rank that is taken; those above are the likeliest to be relevant unknown."""
    last_rank: Annotated[int, Within(1, 10_000)]
    """own: worst rank that is taken."""
    max_score: Annotated[float, Within(0, 1)]
    """Those that now score above this share of the positive's score are left out; 0: none are."""


@dataclass(frozen=True)
class Mine:
    """BM25's negatives."""

    depth: Annotated[int, Within(0, 10_000)]
    """Passages that BM25 finds for each training query; 0: the stage does nothing."""
    k1: Annotated[float, Within(0, 100)]
    b: Annotated[float, Within(0, 1)]
    """Its own, so that another baseline is no other training."""


@dataclass(frozen=True)
class Embed:
    """How the passages are encoded."""

    batch_tokens: Annotated[int, Within(1, 100_000_000)]
    """Tokens a batch: bounds memory."""
    width: Annotated[int, Within(0, 100_000)]
    """First numbers of each vector that are kept, for passages and queries; 0: all."""


@dataclass(frozen=True)
class Bm25:
    """The lexical baseline (Lucene's form)."""

    k1: Annotated[float, Within(0, 100)]
    b: Annotated[float, Within(0, 1)]


@dataclass(frozen=True)
class Evaluate:
    """What is measured."""

    depth: Annotated[int, Within(10, 1_000_000)]
    """Passages retrieved a query; also the largest k of recall."""
    graded_relevant_from: Annotated[int, Within(1, 100)]
    """dl19, dl20 (TREC Deep Learning): the smallest grade that MRR, recall, precision count."""


@dataclass(frozen=True)
class Tracking:
    """MLflow."""

    enabled: bool
    experiment: Annotated[str, NotEmpty()]
    """The MLflow experiment's name."""


@dataclass(frozen=True)
class Params:
    """All of params.yaml."""

    seed: Annotated[int, Within(0, 2**31 - 1)]
    device: Annotated[str, OneOf(("auto", "cpu", "cuda", "mps"))]
    download: Download
    data: Data
    vectors: Vectors
    vocab: Vocab
    tokenize: Tokenize
    model: Model
    negatives: Negatives
    mine: Mine
    train: Train
    embed: Embed
    bm25: Bm25
    evaluate: Evaluate
    tracking: Tracking


def flatten(params: Params) -> dict[str, Any]:
    """Every parameter by its dotted name, as `dvc exp run -S` writes it."""

    def walk(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    return dict(walk(dataclasses.asdict(params), ""))
