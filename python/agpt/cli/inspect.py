"""agpt-inspect: the architecture of a model and the figures of every tensor."""

import dataclasses
from pathlib import Path

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.output_options import html_option
from agpt.cli.tables import table_text
from agpt.html.elements import setting_text
from agpt.inspection.pages import tensor_page
from agpt.inspection.tensors import TensorSummary, tensor_summaries


@click.command("agpt-inspect", cls=Command)
@click.argument("model", type=INPUT_FILE)
@html_option
@common_options
def command(model: Path, html: Path | None, as_json: bool) -> None:
    """Print the architecture of the model file MODEL and the figures of its tensors."""
    loaded = Model.load(model)
    tensors = tensor_summaries(loaded)
    if html is not None:
        tensor_page(loaded, model.name).write(html)
    values = {
        "model": str(model),
        "spec": loaded.config.spec,
        "dtype": loaded.dtype,
        "n_parameters": loaded.n_parameters,
        "vocabulary": None if loaded.vocabulary is None else loaded.vocabulary.kind,
        "config": loaded.config.to_dict(),
        "tensors": [dataclasses.asdict(tensor) for tensor in tensors],
        "html": None if html is None else str(html),
    }
    emit(as_json, values, _text(loaded, model, tensors))


def _text(model: Model, path: Path, tensors: list[TensorSummary]) -> str:
    settings = [(name, setting_text(value)) for name, value in model.config.to_dict().items()]
    head = ("tensor", "shape", "count", "min", "max", "mean", "std", "role")
    rows = [
        (t.name, "x".join(map(str, t.shape)), t.count, t.min, t.max, t.mean, t.std, t.role)
        for t in tensors
    ]
    title = f"{path}: {model.config.spec}, {model.n_parameters:,} parameters of {model.dtype}"
    return "\n\n".join(
        [
            title,
            "\n".join(f"{name:<16}{value}" for name, value in settings),
            table_text(head, rows),
        ]
    )
