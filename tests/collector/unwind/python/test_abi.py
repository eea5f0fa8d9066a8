"""abi.py is bpf/python.h as the C compiler reads it, and layouts.py CPython's own headers."""

import platform
import shutil
import subprocess
from enum import IntEnum
from pathlib import Path

import pytest

from collector.kernel import files
from collector.unwind.python import abi
from collector.unwind.python.layouts import LAYOUTS, Layout, Version
from tests.collector.unwind.python.conftest import interpreters

STRUCTS = {
    "python_layout": abi.LAYOUT,
    "python_process": abi.PROCESS,
    "python_code": abi.CODE,
    "python_frame": abi.FRAME,
    "python_chain": abi.CHAIN,
}
ENUMS: dict[str, type[IntEnum]] = {"PYTHON_": abi.Cause, "RUNS_": abi.Runs}
CONSTANTS = {
    "PYTHON_KIND_SHIFT": abi.KIND_SHIFT,
    "PYTHON_FRAME_SIZE": abi.FRAME_SIZE,
    "PYTHON_CODE_SIZE": abi.CODE_SIZE,
    "PYTHON_EVAL_RANGES": abi.EVAL_RANGES,
    "PYTHON_FRAMES": abi.FRAMES,
    "PYTHON_SAVED_FRAMES": abi.SAVED_FRAMES,
    "offsetof(struct python, chain)": abi.PROCESS.itemsize,
    "offsetof(struct python, collected)": abi.WALK.itemsize,
    "OWNER_STACK": abi.OWNER_STACK,
    "PYTHON_FRAME": abi.Kind.FRAME,
    "PYTHON_NO_FRAME": abi.Kind.NO_FRAME,
    "PYTHON_CUT": abi.Kind.CUT,
    "PYTHON_CAUSES": len(abi.Cause),
    "PYTHON_TAG == 1ULL << 63": 1,
}

# The fields of a Layout, as CPython's headers call them.
COMMON = {
    "runtime_interpreters": "_PyRuntimeState, interpreters.head",
    "interpreter_next": "PyInterpreterState, next",
    "thread_next": "PyThreadState, next",
    "thread_interpreter": "PyThreadState, interp",
    "thread_id": "PyThreadState, thread_id",
    "code_type": "PyObject, ob_type",
    "code_line": "PyCodeObject, co_firstlineno",
    "code_file": "PyCodeObject, co_filename",
}
OLD = COMMON | {
    "interpreter_threads": "PyInterpreterState, tstate_head",
    "thread_frame": "PyThreadState, frame",
    "frame_previous": "PyFrameObject, f_back",
    "frame_code": "PyFrameObject, f_code",
    "frame_place": "PyFrameObject, f_lasti",
    "code_name": "PyCodeObject, co_name",
    "code_lines": "PyCodeObject, co_lnotab",
}
NEW = COMMON | {
    "interpreter_threads": "PyInterpreterState, threads.head",
    "thread_cframe": "PyThreadState, cframe",
    "cframe_frame": "_PyCFrame, current_frame",
    "cframe_previous": "_PyCFrame, previous",
    "frame_previous": "_PyInterpreterFrame, previous",
    "frame_code": "_PyInterpreterFrame, f_code",
    "frame_place": "_PyInterpreterFrame, prev_instr",
    "code_name": "PyCodeObject, co_qualname",
    "code_lines": "PyCodeObject, co_linetable",
    "code_instructions": "PyCodeObject, co_code_adaptive",
}
FIELDS: dict[Version, dict[str, str]] = {
    (3, 8): OLD,
    (3, 9): OLD,
    (3, 10): OLD
    | {
        "thread_cframe": "PyThreadState, cframe",
        "cframe_previous": "CFrame, previous",
        "code_lines": "PyCodeObject, co_linetable",
    },
    (3, 11): NEW | {"frame_owner": "_PyInterpreterFrame, is_entry"},
    (3, 12): NEW | {"frame_owner": "_PyInterpreterFrame, owner"},
}
TEXT = {"text_ascii": "sizeof(PyASCIIObject)", "text_wide": "sizeof(PyCompactUnicodeObject)"}


def compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return found


def evaluated(folder: Path, head: str, expressions: list[str], *flags: str) -> list[int]:
    """What the C compiler says that these are."""
    prints = "".join(f'printf("%ld\\n", (long)({expression}));' for expression in expressions)
    source = folder / "layout.c"
    source.write_text(
        f"{head}\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {{{prints}}}"
    )
    subprocess.run([compiler(), "-w", *flags, "-o", folder / "layout", source], check=True)
    said = subprocess.run([folder / "layout"], check=True, capture_output=True).stdout
    return list(map(int, said.split()))


def ours() -> dict[str, int]:
    layout = dict(CONSTANTS)
    for prefix, names in ENUMS.items():
        layout |= {f"{prefix}{member.name}": member.value for member in names}
    for name, kind in STRUCTS.items():
        layout[f"sizeof(struct {name})"] = kind.itemsize
        for field, (form, offset, *_) in (kind.fields or {}).items():
            layout[f"offsetof(struct {name}, {field})"] = offset
            layout[f"sizeof(((struct {name} *)0)->{field})"] = form.itemsize
    return layout


def test_the_mirror_is_the_header_as_the_c_compiler_lays_it_out(tmp_path: Path) -> None:
    expected = ours()
    head = f'#include "{files.find("python.h")}"'
    assert dict(zip(expected, evaluated(tmp_path, head, list(expected)), strict=True)) == expected


def headers() -> list[tuple[Version, Path]]:
    """Where interpreters of versions with a layout of ours have their headers."""
    found = []
    for path in interpreters():
        version = (3, int(path.name.removeprefix("python3.")))
        folder = path.parent.parent / "include" / path.name
        if version in LAYOUTS and (folder / "internal" / "pycore_runtime.h").exists():
            found.append((version, folder))
    return found


MACHINE = f"{platform.machine()}-linux-gnu"


@pytest.mark.parametrize(("version", "folder"), headers(), ids=str)
def test_layouts_are_those_of_cpythons_headers(
    version: Version, folder: Path, tmp_path: Path
) -> None:
    frames = "pycore_frame.h" if version >= (3, 11) else "frameobject.h"
    head = "\n".join(
        ["#define Py_BUILD_CORE 1", "#define Py_BUILD_CORE_BUILTIN 1", '#include "Python.h"']
        + [f'#include "{name}"' for name in (frames, "pycore_runtime.h", "pycore_interp.h")]
    )
    layout = LAYOUTS[version]
    members = FIELDS[version]
    expected = {f"offsetof({member})": getattr(layout, name) for name, member in members.items()}
    expected |= {size: getattr(layout, name) for name, size in TEXT.items()}
    include = [f"-I{folder}", f"-I{folder}/internal", f"-I/usr/include/{MACHINE}/{folder.name}"]
    said = evaluated(tmp_path, head, list(expected), *include)
    assert dict(zip(expected, said, strict=True)) == expected
    assert reads_enough(layout)


def reads_enough(layout: Layout) -> bool:
    """Whether the kernel reads every field that it uses."""
    frame = (layout.frame_previous, layout.frame_code, layout.frame_place, layout.frame_owner)
    code = (layout.code_type, layout.code_line, layout.code_file, layout.code_name)
    return (
        max(frame) < layout.frame_size <= abi.FRAME_SIZE
        and max(*code, layout.code_lines) + 8 <= layout.code_size <= abi.CODE_SIZE
    )
