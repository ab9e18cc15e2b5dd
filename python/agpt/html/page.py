"""A whole page: title, summary, sections; style and script go into the file."""

import os
import string
from importlib import resources

from agpt import __version__
from agpt.files import write_atomically
from agpt.html.elements import Markup, element, joined, markup


class Page:
    """A page that grows by sections, in the order in which they are added."""

    def __init__(self, title: str, summary: object) -> None:
        """`summary` is one sentence below the title."""
        self._title, self._summary = title, summary
        self._sections: list[tuple[str, Markup]] = []

    def add(self, title: str, *content: object) -> None:
        """Adds a section."""
        anchor = f"section-{len(self._sections) + 1}"
        heading = element("h2", title, id=f"{anchor}-title")
        section = element(
            "section", heading, *content, id=anchor, aria_labelledby=f"{anchor}-title"
        )
        self._sections.append((title, section))

    def html(self) -> str:
        """The file's text."""
        links = (
            element("a", title, href=f"#section-{number}")
            for number, (title, _) in enumerate(self._sections, start=1)
        )
        template = string.Template(_asset("page.html"))
        return template.substitute(
            title=markup(self._title),
            summary=markup(self._summary),
            style=_asset("page.css"),
            script=_asset("page.js"),
            navigation=joined(links),
            sections=joined(section for _, section in self._sections),
            footer=markup(f"agpt {__version__}"),
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the file and renames it into place."""
        write_atomically(path, self.html().encode())


def _asset(name: str) -> str:
    return resources.files("agpt.html").joinpath(name).read_text(encoding="utf-8")
