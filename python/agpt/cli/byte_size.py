"""Amounts of memory on the command line and in messages."""

import re

import click

UNITS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}


class ByteSize(click.ParamType[int]):
    """A number of bytes: 500MB, 2GiB, 1.5gib or 1000000."""

    name = "size"

    def convert(
        self, value: str | int, parameter: click.Parameter | None, context: click.Context | None
    ) -> int:
        """Reads a number with a unit, powers of 10 or, with an i, of 2."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?) *([KMGT]?I?B)?", value.strip().upper())
        if match is None or (match[2] or "") not in UNITS or float(match[1]) == 0:
            self.fail(f"'{value}' is no size: write 500MB, 2GiB or a number of bytes")
        return int(float(match[1]) * UNITS[match[2] or ""])


def in_units(n_bytes: float) -> str:
    """A number of bytes for people: 1.5 MiB."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"
