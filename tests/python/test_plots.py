"""agpt.plots: pictures are written whole, and what is missing is said before the work."""

import sys
from pathlib import Path

import pytest
from agpt import ArgumentError
from agpt.plots import new_figure, require_plotting, save_figure

BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_a_figure_is_written_in_the_format_of_its_name(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    path = tmp_path / f"figure.{kind}"
    require_plotting(path)
    figure, panels = new_figure(["left", "right"])
    assert [panel.get_title() for panel in panels] == ["left", "right"]
    panels[0].plot([1, 2, 3])
    save_figure(figure, path)
    assert path.read_bytes().startswith(BEGINNINGS[kind])
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_matplotlib_is_one_sentence_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ArgumentError, match=r"pip install 'agpt-engine\[plot\]'"):
        require_plotting(tmp_path / "figure.png")


def test_an_unknown_ending_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"end it with \.png"):
        require_plotting(tmp_path / "figure.jpeg")
    with pytest.raises(FileNotFoundError, match="create it first"):
        require_plotting(tmp_path / "missing" / "figure.png")
