"""agpt.demo_corpus: there is a text to train on, offline, whatever this Python brings along."""

import sys

import pytest
from agpt.demo_corpus import demo_text


@pytest.mark.parametrize("has_topics", [True, False])
def test_there_is_a_long_text_of_few_characters(
    monkeypatch: pytest.MonkeyPatch, has_topics: bool
) -> None:
    if not has_topics:
        monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    name, text = demo_text()
    assert ("docstrings" in name) != has_topics
    assert len(text) > 200_000
    assert text.isascii()
    assert len(set(text)) < 110
    assert demo_text() == (name, text)
