"""A tokenizer.json of BERT's kind, as sentence-transformers models have it: cut and padded."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

SPECIAL_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
PIECES = [*SPECIAL_PIECES, "the", "cat", "##s", "sat", "##ting", "s", ",", "<", ">", "pad", "u"]


def build(*extra: str) -> Tokenizer:
    """Build it; extra: more special pieces."""
    pieces = [*PIECES, *extra]
    tokenizer = Tokenizer(WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens([*SPECIAL_PIECES, *extra])
    around = [("[CLS]", pieces.index("[CLS]")), ("[SEP]", pieces.index("[SEP]"))]
    tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", special_tokens=around)
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=4)
    return tokenizer
