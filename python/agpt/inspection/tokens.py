"""The tokens of a text that is looked at, and how each of them is shown."""

import dataclasses

import numpy as np
import numpy.typing as npt

from agpt._engine import Vocabulary
from agpt.model import Model

INVISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
BOUNDARY = "⊥"
UNDECODABLE = "\ufffd"


@dataclasses.dataclass(frozen=True)
class ReadText:
    """What a model reads of a text, and what follows each token where that is known."""

    tokens: npt.NDArray[np.uint32]
    targets: tuple[int | None, ...]
    """The next token; None behind a text that may go on."""
    names: tuple[str, ...]
    """Each token as it is shown."""


def read_text(model: Model, text: str) -> ReadText:
    """A text as the model reads it: where the model knows documents, as a whole document."""
    tokens = model.encode(text)
    boundary = None if model.vocabulary is None else model.vocabulary.boundary
    if boundary is None:
        return read_tokens(model, tokens)
    return read_tokens(model, np.concatenate([[boundary], tokens]).astype(np.uint32), boundary)


def read_tokens(
    model: Model, tokens: npt.NDArray[np.uint32], following: int | None = None
) -> ReadText:
    """Tokens as they are; `following` is what comes behind the last one, where it is known."""
    targets = (*(int(token) for token in tokens[1:]), following)
    names = tuple(token_name(model.vocabulary, int(token)) for token in tokens)
    return ReadText(tokens, targets[: len(tokens)], names)


def token_name(vocabulary: Vocabulary | None, token: int) -> str:
    """A token for people: its characters, spaces made visible, or its number where it has none."""
    if vocabulary is None or vocabulary.kind == "tokens":
        return str(token)
    if token == vocabulary.boundary:
        return BOUNDARY
    text = vocabulary.decode(np.array([token], np.uint32))
    if not text or UNDECODABLE in text:
        return f"#{token}"
    return "".join(INVISIBLE.get(character, character) for character in text)
