"""Pieces of markup; whatever is not marked as markup is text and gets escaped."""

import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agpt.number_texts import column_texts, is_number


class Markup(str):
    """Text that is HTML already; every function here returns it and leaves it as it is."""


def markup(content: object) -> Markup:
    """The content itself where it is markup, else its text, escaped."""
    return content if isinstance(content, Markup) else Markup(html.escape(str(content)))


def joined(parts: Iterable[object]) -> Markup:
    """The parts one after the other."""
    return Markup("".join(markup(part) for part in parts))


VOID = ("line", "rect", "circle", "path", "input", "br")  # without content


def element(name: str, /, *content: object, **attributes: object) -> Markup:
    """An element; `class_` is the attribute class, `data_x` data-x, and None leaves one out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{written}>" if name in ("input", "br") else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{joined(content)}</{name}>")


def _attribute(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str = "") -> Markup:
    """A table in a box that scrolls sideways; columns with numbers stand at the right."""
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    kinds = ["number" if any(map(is_number, column)) else None for column in columns]
    names = (
        element("th", name, scope="col", class_=kind)
        for name, kind in zip(head, kinds, strict=True)
    )
    body = (
        element("tr", *(element("td", c, class_=k) for c, k in zip(row, kinds, strict=True)))
        for row in zip(*map(column_texts, columns), strict=True)
    )
    parts = [element("caption", caption)] if caption else []
    parts.append(element("thead", element("tr", *names)))
    whole = element("table", *parts, element("tbody", *body))
    return element("div", whole, class_="scroll", tabindex="0", role="region",
                   aria_label=caption or "table")  # fmt: skip


def definitions(values: Mapping[str, object], class_: str = "settings") -> Markup:
    """Names and what they stand for."""
    pairs = (
        element("div", element("dt", name), element("dd", *column_texts([value])))
        for name, value in values.items()
    )
    return element("dl", *pairs, class_=class_)


def setting_text(value: Any) -> Any:
    """A setting as people read it: 16, 2 \u00d7 8 is a list of three."""
    if isinstance(value, (list, tuple)):
        runs = [(one, len(list(same))) for one, same in itertools.groupby(value)]
        return ", ".join(f"{n} \u00d7 {one}" if n > 1 else str(one) for one, n in runs) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return value


def settings(values: Mapping[str, Any]) -> Markup:
    """The fields of a configuration."""
    return definitions({name.replace("_", " "): setting_text(v) for name, v in values.items()})


def share_bar(share: float) -> Markup:
    """A bar for the cell of a table, as long as a share from 0 to 1 of its room."""
    return element("span", class_="bar", style=f"--share:{share:.4f}")


def details(summary: str, *content: object) -> Markup:
    """Content that is folded away until asked for."""
    return element("details", element("summary", summary), *content)


def figure(caption: str, *content: object) -> Markup:
    """A picture with its caption below."""
    return element("figure", *content, element("figcaption", caption))


def switched(name: str, choices: Mapping[str, Markup]) -> Markup:
    """One of several views, chosen by radio buttons; works without a script and by keyboard."""
    inputs = [
        joined(
            (
                element("input", type="radio", name=name, id=f"{name}-{i}", class_=f"choice c{i}",
                        checked="checked" if i == 0 else None),
                element("label", choice, for_=f"{name}-{i}"),
            )
        )
        for i, choice in enumerate(choices)
    ]  # fmt: skip
    views = [
        element("div", content, class_=f"view v{i}") for i, content in enumerate(choices.values())
    ]
    return element("div", *inputs, *views, class_="switched", role="group", aria_label=name)
