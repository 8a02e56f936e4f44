"""params.yaml -> frozen dataclasses, checked in full before any work starts.

Every parameter stands in params.yaml; there are no defaults here. `load()` reports every problem at
once: a key that is unknown (with the nearest known one), missing, of the wrong type, or outside its
legal values.

    params = load(Path("params.yaml"))
    params.train.margin
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from twotower.errors import ConfigError


@dataclass(frozen=True)
class OneOf:
    """A name out of some."""

    names: tuple[str, ...]

    def allows(self, value: Any) -> bool:
        """Whether a value is legal."""
        return value in self.names

    def __str__(self) -> str:
        return " | ".join(self.names)


@dataclass(frozen=True)
class Within:
    """A number from low to high, both included; `above` leaves low itself out."""

    low: float
    high: float
    above: bool = False

    def allows(self, value: Any) -> bool:
        """Whether a value is legal; NaN is not."""
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        return f"{'above' if self.above else 'from'} {self.low:.10g} to {self.high:.10g}"


@dataclass(frozen=True)
class NotEmpty:
    """A text with something in it."""

    def allows(self, value: Any) -> bool:
        """Whether a value is legal."""
        return bool(value.strip())

    def __str__(self) -> str:
        return "a text that is not empty"


BEIR_SETS = ("fever", "fiqa", "hotpotqa", "msmarco", "nfcorpus", "scifact")
"""Those with a train split."""
WIDTHS = {
    "sample": (50,),
    "glove-6B": (50, 100, 200, 300),
    "glove-42B": (300,),
    "glove-840B": (300,),
    "glove-twitter-27B": (25, 50, 100, 200),
}
"""Numbers a vector of the sources that have some widths alone."""


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


@dataclass(frozen=True)
class Tokenize:
    """How much of each text is kept."""

    max_query_tokens: Annotated[int, Within(1, 100_000)]
    max_passage_tokens: Annotated[int, Within(1, 100_000)]


@dataclass(frozen=True)
class Model:
    """The towers."""

    encoder: Annotated[str, OneOf(("average", "rnn", "gru", "lstm"))]
    shared: bool
    """One tower for queries and passages, or two that start equal."""
    vector_scale: Annotated[float, Within(0, 100)]
    """Length that each pretrained vector is given in the table; the random part has about 1."""
    random_dims: Annotated[int, Within(0, 8192)]
    """Seeded random dimensions beside the pretrained ones: they give each word an identity."""
    token_weights: Annotated[str, OneOf(("none", "idf", "learned"))]
    """average: how much each word counts; learned is idf times a learned factor."""
    hidden: Annotated[int, Within(1, 8192)]
    """rnn, gru, lstm: width of the state, in one direction."""
    bidirectional: bool
    """rnn, gru, lstm: read in both directions; doubles the output's width."""
    pooling: Annotated[str, OneOf(("mean", "max", "last"))]
    """rnn, gru, lstm: from states to one vector."""


@dataclass(frozen=True)
class Train:
    """How the towers are trained."""

    loss: Annotated[str, OneOf(("margin", "softmax"))]
    margin: Annotated[float, Within(0, 2, above=True)]
    """margin: by how much a positive's cosine must exceed each negative's."""
    temperature: Annotated[float, Within(0, 10, above=True)]
    """softmax: cosines are divided by it."""
    epochs: Annotated[int, Within(1, 10_000)]
    batch_size: Annotated[int, Within(2, 1_000_000)]
    """Pairs a step; all other passages of the batch are negatives."""
    learning_rate: Annotated[float, Within(0, 10, above=True)]
    precision: Annotated[str, OneOf(("auto", "float32", "bfloat16"))]
    """auto: bfloat16 on CUDA, float32 elsewhere."""
    dev_pool: Annotated[int, Within(0, 1_000_000_000)]
    """Passages that the dev queries search after each epoch, seeded; 0 = all."""
    collapse_cosine: Annotated[float, Within(0, 1, above=True)]
    """Training stops when the mean cosine between different passages of a batch exceeds it."""


@dataclass(frozen=True)
class Embed:
    """How the passages are encoded."""

    batch_tokens: Annotated[int, Within(1, 100_000_000)]
    """Tokens a batch: bounds memory."""


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
    train: Train
    embed: Embed
    bm25: Bm25
    evaluate: Evaluate
    tracking: Tracking


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file; raises ConfigError naming every key that is wrong."""
    problems: list[str] = []
    params = typing.cast("Params", _build(Params, _read_yaml(path), "", problems))
    problems += [] if problems else _contradictions(params)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{path}: {len(problems)} problem(s)\n{lines}")
    return params


def _contradictions(params: Params) -> Iterator[str]:
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


def flatten(params: Params) -> dict[str, Any]:
    """Every parameter by its dotted name, as `dvc exp run -S` writes it."""

    def walk(node: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in node.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    return dict(walk(dataclasses.asdict(params), ""))


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML reads 1e-05 as a text (YAML 1.1); dvc writes floats that way (YAML 1.2)."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            """Refuse a key that stands twice: PyYAML would take the last one."""
            seen: set[str] = set()
            for key, _ in node.value:
                if str(key.value) in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"line {line}: key {key.value} stands twice")
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)$"),
        list("-+0123456789."),
    )
    try:
        # SafeLoader underneath: no object is ever built from the file.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506
    except FileNotFoundError:
        raise ConfigError(f"{path}: not found; run from the root of the repository") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: not readable: {error.strerror}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds {type(content).__name__}, expected sections and keys")
    return content


def _build(kind: type, content: dict[str, Any], prefix: str, problems: list[str]) -> object:
    """Build one section; None if something in it is wrong, which `problems` then says."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for key in content:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(hints)}"
            problems.append(f"{prefix}{key}: unknown key; {hint}")
    values, before = {}, len(problems)
    for key, hint in hints.items():
        name = f"{prefix}{key}"
        if key not in content:
            problems.append(f"{name}: missing")
        elif not dataclasses.is_dataclass(hint):
            values[key] = _value(name, content[key], hint, problems)
        elif isinstance(content[key], dict):
            values[key] = _build(typing.cast("type", hint), content[key], f"{name}.", problems)
        else:
            problems.append(f"{name}: {content[key]!r} is not a section of keys")
    return kind(**values) if len(problems) == before else None


def _value(name: str, value: Any, hint: Any, problems: list[str]) -> Any:
    """Give a value in its field's type; a whole float passes as int, an int as float."""
    kind, legal = typing.get_args(hint) if typing.get_args(hint) else (hint, None)
    if kind is float and type(value) is int:
        value = float(value)
    if kind is int and type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not kind:
        expected = legal or "true | false"
        problems.append(f"{name}: {value!r} is not of type {kind.__name__}; legal: {expected}")
    elif legal is not None and not legal.allows(value):
        problems.append(f"{name}: {value!r} is not legal; legal: {legal}")
    return value
