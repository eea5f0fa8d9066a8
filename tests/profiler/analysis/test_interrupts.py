from profiler.analysis import interrupts, union
from profiler.analysis.rules import Column
from tests.builders import profile


def reason(before: str, after: str, function: str, column: Column = "self") -> str:
    rest = "main;f 900"
    both = union.of([profile(rest, before)], [profile(rest, after)])
    number = next(number for number, key in enumerate(both.keys) if key[0] == function)
    return interrupts.reason(both, number, column)


IPI = "main;f;asm_sysvec_reschedule_ipi_[k];schedule_[k]"
CALL = "main;f;entry_SYSCALL_64_[k];schedule_[k]"


def test_growth_below_an_interrupt_is_none_of_the_program() -> None:
    for column in ("self", "total"):
        assert "below interrupts" in reason(f"{IPI} 1", f"{IPI} 90", "schedule", column)
    assert "below" in reason(f"{IPI} 1", f"{IPI} 90", "asm_sysvec_reschedule_ipi", "total")


def test_growth_of_the_same_function_below_a_system_call_is() -> None:
    assert reason(f"{CALL} 1", f"{CALL} 90", "schedule") == ""
    assert reason(f"{IPI} 1", f"{IPI} 90", "f", "total") == ""


def test_a_program_whose_function_has_such_a_name_is_no_kernel() -> None:
    own = "main;asm_sysvec_mine;g"
    assert reason(f"{own} 1", f"{own} 90", "g") == ""
