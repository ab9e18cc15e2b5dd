"""The budget of registers: what a compiler's report says, and which kernels exceed their line."""

import importlib.util
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "kernel_budget.py"
spec = importlib.util.spec_from_file_location("kernel_budget", TOOL)
assert spec is not None
assert spec.loader is not None
kernel_budget = importlib.util.module_from_spec(spec)
sys.modules["kernel_budget"] = kernel_budget
spec.loader.exec_module(kernel_budget)
Resources = kernel_budget.Resources

LOG = """
ptxas info    : Compiling entry function '_ZN4agpt4cuda47_GLOBAL__N__ab_14_x_cu_c516add_parts_kernelIdEEvllPKT_PS3_' for 'sm_90'
ptxas info    : Function properties for _ZN4agpt
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
ptxas info    : Compiling entry function '_ZN4agpt4cuda47_GLOBAL__N__ab_14_x_cu_c516add_parts_kernelIfEEvllPKT_PS3_' for 'sm_90'
    8 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
"""  # noqa: E501


def test_a_kernel_counts_with_the_most_that_an_instance_takes() -> None:
    assert kernel_budget.used_resources(LOG) == {"add_parts_kernel": Resources(32, 12)}


def test_what_exceeds_the_budget_is_named() -> None:
    used = {"a_kernel": Resources(40, 0), "new_kernel": Resources(8, 0)}
    budget = kernel_budget.read_budget("# comment\na_kernel 32 0\ngone_kernel 10 0\n")
    assert list(kernel_budget.faults(used, budget)) == [
        "a_kernel: registers 40, budget 32",
        "new_kernel has no line in the budget: it takes 8 registers",
        "gone_kernel is in the budget, but was not compiled",
    ]
    assert not list(kernel_budget.faults(used, used))


def test_a_spill_is_above_a_budget_of_none() -> None:
    (fault,) = kernel_budget.faults(
        kernel_budget.used_resources(LOG), {"add_parts_kernel": Resources(32, 0)}
    )
    assert fault == "add_parts_kernel: spilled 12, budget 0"
