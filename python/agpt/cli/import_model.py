"""agpt-import-model: the model file of another program becomes a checkpoint."""

from pathlib import Path

import click

from agpt import ArgumentError, Corpus, FormatError, Model, Vocabulary
from agpt.cli.conventions import Command, common_options, emit, refuse_given
from agpt.cli.data_options import INPUT_FILE
from agpt.cli.output_options import output_option
from agpt.head_widths import Heads, read_heads
from agpt.model_formats.karpathy_json import PRESETS_WITH_ACTIVATION, load_karpathy_json
from agpt.model_formats.mgpt import is_mgpt, load_mgpt

BYTES_OF_BEGINNING = 64


@click.command("agpt-import-model", cls=Command)
@click.argument("file", type=INPUT_FILE)
@output_option("--out", required=True, help="The checkpoint to write.")
@click.option(
    "--vocabulary",
    "text",
    type=INPUT_FILE,
    show_default="none: the model speaks tokens only",
    help="Of a .model: the text that it was trained on, whose distinct characters are its tokens.",
)
@click.option(
    "--heads",
    show_default="as many equal heads as the file says",
    help="Of a .model: the widths of its heads, or their rule; the file does not have them.",
)
@click.option(
    "--activation",
    type=click.Choice(list(PRESETS_WITH_ACTIVATION)),
    default="relu2",
    show_default=True,
    help="Of a model.json, which does not have it.",
)
@common_options
@click.pass_context
def command(
    context: click.Context,
    file: Path,
    out: Path,
    text: Path | None,
    heads: str | None,
    activation: str,
    as_json: bool,
) -> None:
    """Write the model of FILE, a .model of microgpt or a model.json, as a checkpoint."""
    if is_mgpt(file):
        refuse_given(context, {"activation"}, f"has no effect: {file} has relu")
        vocabulary = None if text is None else _vocabulary_of(text)
        model = load_mgpt(file, vocabulary, _heads_of(context, heads))
    else:
        _require_json_object(file)
        refuse_given(context, {"text", "heads"}, f"has no effect: {file} has its own")
        model = load_karpathy_json(file, activation)
    model.save(out)
    _report(as_json, out, model)


def _require_json_object(file: Path) -> None:
    """Refuses files of other kinds before one is read as JSON."""
    with file.open("rb") as content:
        beginning = content.read(BYTES_OF_BEGINNING)
    if not beginning.lstrip().startswith(b"{"):
        raise FormatError(
            f"{file} is {'of another kind' if beginning else 'empty'}: a .model of microgpt and a "
            "model.json are read"
        )


def _vocabulary_of(text: Path) -> Vocabulary:
    return Corpus.from_file(text).vocabulary


def _heads_of(context: click.Context, text: str | None) -> Heads | None:
    try:
        return None if text is None else read_heads(text)
    except ArgumentError as error:
        raise click.BadParameter(str(error), context, param_hint="--heads") from None


def _report(as_json: bool, out: Path, model: Model) -> None:
    config = model.config
    values = {
        "path": str(out),
        "spec": config.spec,
        "n_parameters": model.n_parameters,
        "vocab_size": config.vocab_size,
        "context": config.context,
        "dtype": model.dtype,
    }
    emit(
        as_json,
        values,
        f"{out}: {config.spec}, {model.n_parameters:,} parameters, {config.vocab_size} tokens, "
        f"context {config.context}, {model.dtype}",
    )
