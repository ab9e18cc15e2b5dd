"""The vocabulary of a model as the tokenizer files of Hugging Face."""

import json
from typing import Any

from agpt._engine import Vocabulary

BOUNDARY = "<|boundary|>"
UNKNOWN = "<|unknown|>"


def tokenizer_files(vocabulary: Vocabulary | None, context: int) -> dict[str, Any]:
    """Contents of tokenizer.json and tokenizer_config.json by name; none for bytes and plain ids.

    The boundary between documents is the special token "<|boundary|>".
    """
    if vocabulary is None or vocabulary.kind not in ("char", "tokenizer"):
        return {}
    if vocabulary.kind == "tokenizer":
        tokenizer = json.loads(vocabulary.definition)
    else:
        tokenizer = _of_characters(vocabulary)
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    if vocabulary.boundary is not None:
        special = {"id": vocabulary.boundary, "content": BOUNDARY, "special": True}
        flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        tokenizer["added_tokens"] = [*(tokenizer.get("added_tokens") or []), special | flags]
        settings |= {"bos_token": BOUNDARY, "eos_token": BOUNDARY}
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": settings}


def _of_characters(vocabulary: Vocabulary) -> dict[str, Any]:
    """One token for each character: words of one character each, decoded without spaces."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {character: id for id, character in enumerate(vocabulary.characters)},
            "unk_token": UNKNOWN,
        },
    }
