"""agpt-generate: a model writes text."""

import random
import time
from pathlib import Path

import click

from agpt import Model
from agpt.cli.conventions import Command, common_options, emit
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.progress import FractionProgress

SEPARATOR = "\n----------\n"


@click.command("agpt-generate", cls=Command)
@click.argument("model", type=INPUT_FILE)
@click.option("--prompt", default="", show_default="none", help="Text that the model continues.")
@click.option("--max-tokens", type=int, default=200, show_default=True, help="Longest sample.")
@click.option(
    "--temperature",
    type=float,
    default=1.0,
    show_default=True,
    help="Logits are divided by it; 0 takes the most probable token.",
)
@click.option(
    "--top-k", type=int, default=0, show_default="0: off", help="Only the k most probable tokens."
)
@click.option(
    "--top-p",
    type=float,
    default=1.0,
    show_default="1: off",
    help="Only the fewest most probable tokens with this share together.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the drawing.")
@click.option("-n", "--n-samples", type=int, default=1, show_default=True, help="How many samples.")
@click.option(
    "--stop-at-end/--no-stop-at-end",
    default=True,
    show_default=True,
    help="End a sample where its document ends, if the model knows documents.",
)
@click.option(
    "--generator",
    type=click.Choice(["engine", "python"]),
    default="engine",
    show_default=True,
    help="What draws: the engine, or Python's random.choices, one sample after the other; without "
    "--seed from where Python's generator stood when it had drawn the weights.",
)
@click.option("--backend", default="cpu", show_default=True, help="What computes.")
@common_options
@click.pass_context
def command(
    context: click.Context,
    model: Path,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    n_samples: int,
    stop_at_end: bool,
    generator: str,
    backend: str,
    as_json: bool,
) -> None:
    """Write text with the model file MODEL; each sample begins with the prompt."""
    loaded = Model.load(model)
    start = time.perf_counter()
    with FractionProgress("writing") as progress:
        samples = loaded.generate(
            prompt,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            n_samples=n_samples,
            stop_at_end=stop_at_end,
            backend=backend,
            generator=_python_generator(context, loaded, seed) if generator == "python" else None,
            progress=lambda done: progress.update(done / max(1, max_tokens)),
        )
    seconds = time.perf_counter() - start
    knows_documents = loaded.vocabulary is not None and loaded.vocabulary.boundary is not None
    separator = "\n" if knows_documents else SEPARATOR
    emit(
        as_json,
        {
            "model": str(model),
            "prompt": prompt,
            "samples": samples,
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
            "seed": seed,
            "seconds": seconds,
        },
        separator.join(prompt + sample for sample in samples),
    )


def _python_generator(context: click.Context, model: Model, seed: int) -> random.Random:
    if context.get_parameter_source("seed") is click.core.ParameterSource.COMMANDLINE:
        return random.Random(seed)
    if model.generator is None:
        raise click.UsageError(
            "--generator python needs a --seed: Python's generator did not draw the weights of "
            "this model",
            context,
        )
    return model.generator
