"""The package: its public names, and that importing it stays light."""

import subprocess
import sys

import agpt


def test_every_public_name_exists() -> None:
    assert sorted(agpt.__all__) == agpt.__all__
    for name in agpt.__all__:
        assert hasattr(agpt, name)


def test_errors_have_the_bases_that_callers_rely_on() -> None:
    assert issubclass(agpt.ArgumentError, ValueError)
    assert issubclass(agpt.Error, RuntimeError)
    for error in (agpt.FormatError, agpt.DeviceError, agpt.MemoryCapError, agpt.NonFiniteError):
        assert issubclass(error, agpt.Error)


def test_importing_the_package_imports_no_terminal_or_plotting_libraries() -> None:
    code = (
        "import agpt, sys; print([m for m in ('rich', 'click', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
