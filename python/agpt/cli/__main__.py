"""Lets `python -m agpt.cli VERB` do what `agpt VERB` does."""

from agpt.cli import main

main(prog_name="agpt")
