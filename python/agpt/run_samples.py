"""What a model writes on the way through its training: the same draw at every stage."""

import numpy as np

from agpt._engine import ArgumentError
from agpt.model import Model

TEXT_TOKENS = 200
N_DOCUMENTS, DOCUMENT_TOKENS = 6, 80


def can_write(model: Model) -> bool:
    """Whether the model's tokens can be turned into text here."""
    if model.vocabulary is None or model.vocabulary.kind == "tokens":
        return False
    try:
        model.vocabulary.decode(np.zeros(1, np.uint32))
    except ArgumentError:  # a tokenizer whose package is not installed
        return False
    return True


def sample_of(model: Model, seed: int) -> str:
    """Text at temperature 1 without a prompt; a few documents, a line each, where it knows them."""
    if model.vocabulary is not None and model.vocabulary.boundary is not None:
        samples = model.generate(max_tokens=DOCUMENT_TOKENS, n_samples=N_DOCUMENTS, seed=seed)
        return "\n".join(samples)
    return model.generate(max_tokens=TEXT_TOKENS, seed=seed)[0]
