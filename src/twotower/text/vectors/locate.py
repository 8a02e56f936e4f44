"""Which files hold the vectors: of a path that a user named, and of the copy of them.

In: a file, a folder with one vector file, or the folder of a sentence-transformers model. Out: the
files that are read, to be copied byte for byte; the copy, in one folder, is found the same way.
"""

from __future__ import annotations

from pathlib import Path

from twotower.errors import DataError

SUFFIXES = (".txt", ".vec", ".bin", ".gz", ".zip")
TOKENIZER, TENSORS, PICKLE = "tokenizer.json", "model.safetensors", "pytorch_model.bin"


def files_of(path: Path, format_: str) -> list[Path]:
    """Give the one vector file, or a model's tokenizer and tensors; raises DataError.

    format_: auto | glove | word2vec | word2vec-binary | model
    """
    if not path.exists():
        raise DataError(f"{path} is neither a file nor a folder; expected word vectors there")
    if is_model(path, format_):
        return _model_files(path)
    return [path] if path.is_file() else [_only_file(path)]


def is_model(path: Path, format_: str) -> bool:
    """Whether to read a model: `auto` takes a folder with a tokenizer or a model's tensors."""
    if format_ != "auto":
        return format_ == "model"
    names = (TOKENIZER, TENSORS, PICKLE)
    return path.name in names or any((f / name).is_file() for f in _parts(path) for name in names)


def _parts(path: Path) -> list[Path]:
    """The folder and, in it, those of a model's first module, such as 0_StaticEmbedding."""
    return [path, *sorted(path.glob("0_*"))]


def _model_files(path: Path) -> list[Path]:
    if not path.is_dir():
        raise DataError(f"{path} is a file; of a model, name the folder that holds {TOKENIZER}")
    for part in _parts(path):
        files = [part / TOKENIZER, part / TENSORS]
        if all(file.is_file() for file in files):
            return files
    if any((part / PICKLE).is_file() and not (part / TENSORS).is_file() for part in _parts(path)):
        raise DataError(
            f"{path}: holds its tensors as {PICKLE} alone, which can run code and is never "
            f"loaded; save it as {TENSORS}: transformers.AutoModel.from_pretrained(folder)"
            ".save_pretrained(folder)"
        )
    raise DataError(
        f"{path}: expected a model folder with {TOKENIZER} and {TENSORS}, found {_names(path)}; "
        "a slow tokenizer's vocab.txt is not read: save it with transformers.AutoTokenizer"
    )


def _only_file(folder: Path) -> Path:
    files = [path for path in sorted(folder.iterdir()) if not _is_aside(path)]
    # A file named for itself may have any name, and so may its copy.
    found = [path for path in files if path.suffix.lower() in SUFFIXES] or files
    if len(found) != 1:
        raise DataError(
            f"{folder}: expected one file of vectors ({', '.join(SUFFIXES)}), "
            f"found {', '.join(path.name for path in found) or 'nothing'}; name the file itself"
        )
    return found[0]


def _is_aside(path: Path) -> bool:
    name = path.name.lower()
    return name.startswith((".", "readme")) or name.endswith(".json")


def _names(folder: Path) -> str:
    return ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
