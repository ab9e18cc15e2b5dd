"""What a JSON line of sequences says: prompts with completions, texts, or tokens, with weights."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agpt._engine import FormatError
from agpt.data.decompression import CountBytes
from agpt.data.texts import TextFiles, checked_text

Fields = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class WeightedTexts:
    """A prompt and what may follow it; a text alone is the completion of an empty prompt."""

    place: str
    """File and line, for errors."""
    prompt: str
    completions: tuple[str, ...]
    weights: tuple[float, ...]
    """One for each completion."""


@dataclasses.dataclass(frozen=True)
class WeightedTokens:
    """A sequence of token ids as it is."""

    place: str
    tokens: tuple[int, ...]
    token_weights: tuple[float, ...]
    """One for each token; that of the first means nothing."""
    weight: float


SequenceLine = WeightedTexts | WeightedTokens


def read_sequence_lines(
    paths: Sequence[str | os.PathLike[str]], count: CountBytes | None = None
) -> Iterator[SequenceLine]:
    """The lines of files of JSON lines in their order; "-" is standard input.

    A line is an object with the fields `prompt` and `completions` (`weights`), `prompt` and
    `completion` (`weight`), `text` (`weight`), or `tokens` (`token_weights` or `mask`, `weight`);
    those in parentheses may be left out, and fields of other names are not read. FormatError names
    the file and the line of what is none of these.
    """
    files = TextFiles(tuple(os.fspath(path) for path in paths), count=count)
    for path in files.paths:
        for place, fields in files.objects(path):
            yield _line_of(fields, place)


def _line_of(fields: Fields, place: str) -> SequenceLine:
    forms = [name for name in _READERS if name in fields]
    if len(forms) != 1:
        found = " and ".join(map(repr, forms)) if forms else "none of them"
        names = ", ".join(map(repr, _READERS))
        raise FormatError(f"{place} has {found}: a line needs one of the fields {names}")
    (form,) = forms
    needs_prompt = form.startswith("completion")
    if needs_prompt != ("prompt" in fields):
        verb = "lacks" if needs_prompt else f"has {form!r} and"
        raise FormatError(f"{place} {verb} 'prompt': a prompt goes with a completion")
    return _READERS[form](fields, place)


def _read_completions(fields: Fields, place: str) -> WeightedTexts:
    texts = _list(fields, "completions", place)
    completions = tuple(checked_text(text, f"{place}: one of the completions") for text in texts)
    if not completions:
        raise FormatError(f"{place} has no completions: leave the line out")
    weights = _weights(fields, "weights", len(completions), place)
    return WeightedTexts(place, _text(fields, "prompt", place), completions, weights)


def _read_completion(fields: Fields, place: str) -> WeightedTexts:
    prompt, completion = (_text(fields, name, place) for name in ("prompt", "completion"))
    return WeightedTexts(place, prompt, (completion,), (_weight(fields, place),))


def _read_text(fields: Fields, place: str) -> WeightedTexts:
    return WeightedTexts(place, "", (_text(fields, "text", place),), (_weight(fields, place),))


def _read_tokens(fields: Fields, place: str) -> WeightedTokens:
    tokens = _list(fields, "tokens", place)
    for token in tokens:
        if type(token) is not int or not 0 <= token < 2**31:
            raise FormatError(f"{place}: {token!r} in 'tokens' is no token id")
    if not tokens:
        raise FormatError(f"{place} has no tokens: leave the line out")
    if "token_weights" in fields and "mask" in fields:
        raise FormatError(f"{place} has 'token_weights' and 'mask': give one of the two")
    name = "mask" if "mask" in fields else "token_weights"
    token_weights = _weights(fields, name, len(tokens), place)
    return WeightedTokens(place, tuple(tokens), token_weights, _weight(fields, place))


_READERS: dict[str, Callable[[Fields, str], SequenceLine]] = {
    "completions": _read_completions,
    "completion": _read_completion,
    "text": _read_text,
    "tokens": _read_tokens,
}


def _text(fields: Fields, name: str, place: str) -> str:
    return checked_text(fields[name], f"{place}: the field {name!r}")


def _list(fields: Fields, name: str, place: str) -> list[Any]:
    value = fields[name]
    if not isinstance(value, list):
        raise FormatError(f"{place}: the field {name!r} is no list, but {type(value).__name__}")
    return value


def _weight(fields: Fields, place: str) -> float:
    return _checked_weight(fields.get("weight", 1.0), "weight", place)


def _weights(fields: Fields, name: str, n: int, place: str) -> tuple[float, ...]:
    """One weight for each of `n` things, 1 where the field is missing."""
    if name not in fields:
        return (1.0,) * n
    values = _list(fields, name, place)
    if len(values) != n:
        raise FormatError(f"{place} has {len(values)} numbers in {name!r}, but needs {n}")
    return tuple(_checked_weight(value, name, place) for value in values)


def _checked_weight(value: object, name: str, place: str) -> float:
    if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise FormatError(
            f"{place}: {value!r} in {name!r} is no weight: weights are numbers of at least 0"
        )
    return float(value)
