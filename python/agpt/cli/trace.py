"""agpt-trace: every stage of a forward pass over a text, and every prediction."""

import dataclasses
from pathlib import Path

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.glass_options import chosen_text, text_options
from agpt.cli.output_options import html_option
from agpt.cli.tables import table_text
from agpt.inspection.forward_trace import ForwardTrace, trace_of
from agpt.inspection.pages import trace_page


@click.command("agpt-trace", cls=Command)
@click.argument("model", type=INPUT_FILE)
@text_options
@html_option
@common_options
def command(
    model: Path, text: str | None, tokens: str | None, html: Path | None, as_json: bool
) -> None:
    """Follow a text through the model file MODEL, stage by stage, on the reference backend."""
    loaded = Model.load(model)
    read = chosen_text(loaded, text, tokens)
    trace = trace_of(loaded, read)
    if html is not None:
        trace_page(loaded, model.name, read, trace).write(html)
    values = {
        "model": str(model),
        "tokens": read.tokens.tolist(),
        "names": read.names,
        "loss": trace.loss,
        "stages": [dataclasses.asdict(stage) for stage in trace.stages],
        "predictions": [dataclasses.asdict(prediction) for prediction in trace.predictions],
        "html": None if html is None else str(html),
    }
    emit(as_json, values, _text(trace))


def _text(trace: ForwardTrace) -> str:
    stages = [
        (s.name, "x".join(map(str, s.shape)), s.l2, s.min, s.max, s.mean, s.zeros, s.meaning)
        for s in trace.stages
    ]
    predictions = [
        (p.position, p.token, p.target, p.target_probability, p.target_rank, p.argmax,
         p.argmax_probability)
        for p in trace.predictions
    ]  # fmt: skip
    parts = [
        table_text(("stage", "shape", "L2", "min", "max", "mean", "zeros", "what it is"), stages),
        table_text(("seen", "token", "next", "P(next)", "rank", "most probable", "P"), predictions),
    ]
    if trace.loss is not None:
        parts.append(f"mean loss {trace.loss:.4f} nats")
    return "\n\n".join(parts)
