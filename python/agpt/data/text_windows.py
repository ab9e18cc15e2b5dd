"""A long text in windows that overlap, so that it can be encoded part by part to the same ids.

What a tokenizer makes of a character depends on its neighbourhood: where words, runs of spaces or
merges begin. A window therefore has some text on both sides of its own part. Two neighbouring
windows both encode the text around the place where they meet; where they agree there on every
token and its offsets, the text is cut between two of those tokens. Where they do not, the two
windows become one. So the ids are those of the whole text for any tokenizer whose choices do not
depend on text further away than half of the overlap.
"""

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from agpt._engine import FormatError

WINDOW_CHARACTERS = 1 << 16
OVERLAP_CHARACTERS = 1 << 10
WINDOWS_AT_ONCE = 16

Token = tuple[int, int, int]
"""An id and where its text begins and ends."""
Encode = Callable[[Sequence["TextWindow"]], list[Any]]


@dataclasses.dataclass(frozen=True)
class TextWindow:
    """Part of a text: text[begin:end] is its own, the rest belongs to its neighbours."""

    text: str
    begin: int
    end: int


@dataclasses.dataclass(frozen=True)
class _Encoded:
    """A window with its encoding, of which the ids before number `first` are not its own."""

    window: TextWindow
    encoding: Any
    first: int


def windows_of(pieces: Iterable[str]) -> Iterator[TextWindow]:
    """The windows of a text that comes in pieces of any size."""
    own = _of_equal_size(pieces)
    before, current = "", next(own, "")
    for after in itertools.chain(own, [""]):
        text = before + current + after[:OVERLAP_CHARACTERS]
        yield TextWindow(text, len(before), len(before) + len(current))
        before, current = (before + current)[-OVERLAP_CHARACTERS:], after


def cut_ids(windows: Iterable[TextWindow], encode: Encode) -> Iterator[Sequence[int]]:
    """The ids of the whole text, window by window.

    `encode` gives for each window an encoding with `ids` and `offsets`, in characters.
    """
    left: _Encoded | None = None
    for batch in _batches(windows):
        for window, encoding in zip(batch, encode(batch), strict=True):
            right = _Encoded(window, encoding, 0)
            if left is None:
                left = right
                continue
            cut = _cut(left, right)
            if cut is None:
                left = _merged(left, right, encode)
                continue
            end, first = cut
            yield left.encoding.ids[left.first : end]
            left = _Encoded(window, encoding, first)
    if left is not None:
        yield left.encoding.ids[left.first :]


def _cut(left: _Encoded, right: _Encoded) -> tuple[int, int] | None:
    """End of the left ids and begin of the right ones, in the middle of where both agree."""
    from_left, left_zone = _zone(left.encoding, left.window.end)
    from_right, right_zone = _zone(right.encoding, right.window.begin)
    if left_zone != right_zone or from_left + len(left_zone) // 2 < left.first:
        return None
    return from_left + len(left_zone) // 2, from_right + len(right_zone) // 2


def _zone(encoding: Any, junction: int) -> tuple[int, list[Token]]:
    """The number of the first token that begins around `junction`, and all that do.

    Their places are counted from the junction.
    """
    offsets = encoding.offsets
    half = OVERLAP_CHARACTERS // 2
    first = bisect.bisect_left(offsets, junction - half, key=lambda offset: offset[0])
    last = bisect.bisect_left(offsets, junction + half, key=lambda offset: offset[0])
    ids = encoding.ids[first:last]
    return first, [
        (id, begin - junction, end - junction)
        for id, (begin, end) in zip(ids, offsets[first:last], strict=True)
    ]


def _merged(left: _Encoded, right: _Encoded, encode: Encode) -> _Encoded:
    """Both windows as one, which must begin as the left one does."""
    own = right.window.text[right.window.begin :]
    text = left.window.text[: left.window.end] + own
    end = left.window.end + right.window.end - right.window.begin
    window = TextWindow(text, left.window.begin, end)
    (encoding,) = encode([window])
    known = slice(0, left.first + 1)
    if encoding.offsets[known] != left.encoding.offsets[known]:
        raise FormatError(
            f"what the tokenizer makes of a text depends on more than {WINDOW_CHARACTERS:,} "
            "characters around: read the corpus as documents, or with another tokenizer"
        )
    return _Encoded(window, encoding, left.first)


def _of_equal_size(pieces: Iterable[str]) -> Iterator[str]:
    kept: list[str] = []
    size = 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= WINDOW_CHARACTERS:
            text = "".join(kept)
            whole = size - size % WINDOW_CHARACTERS
            for begin in range(0, whole, WINDOW_CHARACTERS):
                yield text[begin : begin + WINDOW_CHARACTERS]
            kept, size = [text[whole:]], size - whole
    if size > 0:
        yield "".join(kept)


def _batches(windows: Iterable[TextWindow]) -> Iterator[list[TextWindow]]:
    windows = iter(windows)
    while batch := list(itertools.islice(windows, WINDOWS_AT_ONCE)):
        yield batch
