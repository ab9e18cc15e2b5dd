"""agpt.text_fingerprint: the share of a text that another has, against counting all windows."""

import numpy as np
import numpy.typing as npt
import pytest
from agpt import text_fingerprint
from agpt.text_fingerprint import LARGEST_SIZE, WINDOW, fingerprint_of, overlap
from hypothesis import given, settings
from hypothesis import strategies as st

Tokens = npt.NDArray[np.uint16]


def random_tokens(n: int, seed: int, vocab_size: int = 50) -> Tokens:
    return np.random.default_rng(seed).integers(0, vocab_size, n).astype(np.uint16)


def windows_of(tokens: Tokens) -> list[bytes]:
    return [tokens[i : i + WINDOW].tobytes() for i in range(tokens.size - WINDOW + 1)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(70, 400), st.integers(0, 300))
def test_small_texts_are_compared_window_by_window(
    seed: int, vocab_size: int, n: int, shared: int
) -> None:
    trained = random_tokens(500, seed, vocab_size)
    other = np.concatenate([random_tokens(n, seed + 1, vocab_size), trained[:shared]])
    known = set(windows_of(trained))
    expected = [window in known for window in windows_of(other)]
    result = overlap(other, fingerprint_of(trained))
    if len(expected) < text_fingerprint.FEWEST_WINDOWS:
        assert result is None
        return
    assert result is not None
    assert (result.windows, result.seen) == (len(expected), sum(expected))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_of_a_large_text_is_estimated(share: float) -> None:
    n = 100_000
    trained = random_tokens(400_000, 1)
    known = int(n * share)
    text = np.concatenate([trained[1000 : 1000 + known], random_tokens(n - known, 2)])
    fingerprint = fingerprint_of(trained)
    result = overlap(text, fingerprint)
    assert fingerprint.size == LARGEST_SIZE
    assert result is not None
    assert result.windows == pytest.approx(n * LARGEST_SIZE / trained.size, rel=0.1)
    assert result.share == pytest.approx(share, abs=0.03)


def test_a_fingerprint_does_not_depend_on_the_blocks_or_the_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = random_tokens(30_000, 3)
    whole = fingerprint_of(tokens)
    monkeypatch.setattr(text_fingerprint, "BLOCK", 1000)
    assert np.array_equal(whole, fingerprint_of(tokens.astype(np.uint32)))


def test_a_text_without_a_window_tells_nothing() -> None:
    fingerprint = fingerprint_of(random_tokens(500, 4))
    assert overlap(random_tokens(WINDOW - 1, 4), fingerprint) is None
    short = fingerprint_of(random_tokens(WINDOW - 1, 4))
    assert short.size == 0
    assert overlap(random_tokens(500, 4), short) is None
