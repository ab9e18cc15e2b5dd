"""The widths of attention heads: numbers, lists, named families, and specs such as d4x16n2ff256."""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from agpt._engine import ArgumentError
from agpt.validation import require_between

LARGEST_WIDTH = 2**16
"""Of a model, as the engine has it."""
COMPAT = "compat-"
_TYPICAL_WIDTH = 16
_SPEC = re.compile(r"d(?P<dims>\d+(?:\+\d+)*|\d+x\d+)n(?P<layers>\d+)(?:ff(?P<d_ff>\d+))?")

Heads = int | str | Sequence[int]
"""A number of equal heads, the name of a family, or the width of each head."""


def uniform(d_model: int) -> tuple[int, ...]:
    """The most equal heads of at least 16 columns that divide the width, else one head."""
    most = max(1, d_model // _TYPICAL_WIDTH)
    n_heads = next(n for n in range(most, 0, -1) if d_model % n == 0)
    return (d_model // n_heads,) * n_heads


def exponential(d_model: int) -> tuple[int, ...]:
    """1, 2, 4, ... while the sum fits; what is left is the last head."""
    widths = _while_they_fit((2**power for power in itertools.count()), d_model)
    rest = d_model - sum(widths)
    return (*widths, rest) if rest else widths


def prime(d_model: int) -> tuple[int, ...]:
    """2, 3, 5, 7, ... while the sum fits; the last head takes what is left."""
    widths = _while_they_fit(_primes(), d_model)
    if not widths:
        return (d_model,)
    return (*widths[:-1], widths[-1] + d_model - sum(widths))


def pyramid(d_model: int) -> tuple[int, ...]:
    """1 head of a quarter of the width, 2 of half of that, 4 of a quarter of it, 8 of an eighth."""
    if d_model % 32 != 0:
        raise ArgumentError(
            f"heads is pyramid, but d_model {d_model} is no multiple of 32: choose "
            f"{max(32, d_model - d_model % 32)} or list the widths of the heads"
        )
    return tuple(width for level in range(4) for width in (d_model // (4 << level),) * (1 << level))


def ones(d_model: int) -> tuple[int, ...]:
    """As many heads as columns; rotary positions do not reach heads of one column."""
    return (1,) * d_model


FAMILIES: dict[str, Callable[[int], tuple[int, ...]]] = {
    "uniform": uniform,
    "exponential": exponential,
    "prime": prime,
    "pyramid": pyramid,
    "ones": ones,
}
"""Head widths as a function of d_model."""

FIXED: dict[str, tuple[int, ...]] = {
    f"{COMPAT}exponential": (1, 2, 4, 8, 16, 32),
    f"{COMPAT}prime": (2, 3, 5, 7, 11, 13, 23),
    f"{COMPAT}pyramid": pyramid(64),
    f"{COMPAT}ones": ones(64),
}
"""The lists of the microgpt program, which decide d_model."""

NAMES = (*FAMILIES, *FIXED)


def head_widths(heads: Heads, d_model: int) -> tuple[int, ...]:
    """The width of each head; ArgumentError where they are none of `d_model`.

    The sum of listed widths is left to the engine's check of the whole configuration.
    """
    require_between("d_model", d_model, 1, LARGEST_WIDTH)
    if isinstance(heads, str):
        return _of_name(heads, d_model)
    if isinstance(heads, (bool, bytes)):
        raise ArgumentError(f"heads is {heads!r}, but must be a number of heads or their widths")
    if isinstance(heads, int) or not isinstance(heads, Sequence):
        return _equal_heads(heads, d_model)
    widths = tuple(cast(Sequence[int], heads))
    if not all(isinstance(width, int) and not isinstance(width, bool) for width in widths):
        raise ArgumentError(f"heads is {list(heads)}, but the widths must be whole numbers")
    return widths


def decided_width(heads: Any) -> int | None:
    """The d_model that `heads` leaves no choice about: the sum of listed widths, else None."""
    if isinstance(heads, str):
        return sum(FIXED[heads]) if heads in FIXED else None
    return sum(heads) if isinstance(heads, Sequence) else None


def read_heads(text: str) -> Heads:
    """Reads what a user types: '4', '32,16,16', 'prime'."""
    if text in NAMES:
        return text
    try:
        widths = [int(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(
            f"heads {text!r} is neither a number of heads nor a list of widths, nor one of "
            f"{', '.join(NAMES)}"
        ) from None
    return widths if "," in text else widths[0]


def settings_of_spec(spec: str) -> dict[str, Any]:
    """Width, heads, layers and MLP of `d<dims>n<layers>[ff<width>]`, as settings of a model.

    dims is a width (64: uniform heads), heads times their width (4x16), or widths (1+2+4+8).
    """
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise ArgumentError(
            f"spec {spec!r} is not of the form d64n2, d4x16n2ff256 or d1+2+4+8n3: width or heads, "
            "layers, and the width of the MLP"
        )
    heads = _heads_of_spec(match["dims"])
    d_model = sum(heads)
    return {
        "d_model": d_model,
        "heads": heads,
        "n_layers": int(match["layers"]),
        "d_ff": 4 * d_model if match["d_ff"] is None else int(match["d_ff"]),
    }


def spec_of(widths: Sequence[int], n_layers: int, d_ff: int) -> str:
    """The shortest spec that means these; the inverse of `settings_of_spec`."""
    d_model = sum(widths)
    if tuple(widths) == uniform(d_model):
        dims = str(d_model)
    elif len(set(widths)) == 1:
        dims = f"{len(widths)}x{widths[0]}"
    else:
        dims = "+".join(str(width) for width in widths)
    return f"d{dims}n{n_layers}" + (f"ff{d_ff}" if d_ff != 4 * d_model else "")


def _heads_of_spec(dims: str) -> tuple[int, ...]:
    if "+" in dims:
        return tuple(int(part) for part in dims.split("+"))
    if "x" not in dims:
        return head_widths("uniform", int(dims))
    n_heads, width = (int(part) for part in dims.split("x"))
    require_between("d_model", n_heads * width, 1, LARGEST_WIDTH)
    return (width,) * n_heads


def _of_name(name: str, d_model: int) -> tuple[int, ...]:
    if name in FIXED:
        return FIXED[name]
    if name not in FAMILIES:
        raise ArgumentError(
            f"heads {name!r} is unknown: give a number of heads or their widths, or choose from "
            f"{', '.join(NAMES)}"
        )
    return FAMILIES[name](d_model)


def _equal_heads(n_heads: int, d_model: int) -> tuple[int, ...]:
    if n_heads < 1:
        raise ArgumentError(f"heads is {n_heads}, but a model needs at least one head")
    if d_model % n_heads != 0:
        raise ArgumentError(
            f"{n_heads} equal heads do not divide d_model {d_model}: "
            "change one of the two, or list the widths of the heads"
        )
    return (d_model // n_heads,) * n_heads


def _while_they_fit(widths: Iterator[int], total: int) -> tuple[int, ...]:
    taken: list[int] = []
    for width in widths:
        if sum(taken) + width > total:
            break
        taken.append(width)
    return tuple(taken)


def _primes() -> Iterator[int]:
    found: list[int] = []
    for number in itertools.count(2):
        if all(number % factor for factor in found):
            found.append(number)
            yield number
