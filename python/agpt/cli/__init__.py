"""The command `agpt`, whose verbs are the commands agpt-VERB; their modules load when used."""

import importlib

import click

from agpt import __version__
from agpt.cli.conventions import ConventionalMain

VERBS = (
    "demo",
    "build",
    "train",
    "perplexity",
    "generate",
    "trie-profile",
    "radix-verify",
    "export",
    "import-model",
    "build-index",
    "build-radix",
    "build-radix-corpus",
    "bayesian-posterior",
    "convergence",
    "check-weights",
    "synth-wrap",
    "inspect",
    "explain",
    "trace",
    "report",
    "bench",
    "compare",
    "download",
    "info",
)


class _VerbGroup(ConventionalMain, click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"agpt.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command


@click.group(
    "agpt",
    cls=_VerbGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context) -> None:
    """Trains small transformers exactly on the prefix trie of a corpus."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
