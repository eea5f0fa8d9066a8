"""What symbolization did since the start, for the collector's metrics."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Every number only grows.

    `named` and `unnamed` count addresses, each once a process while it is remembered, and those
    without a name in each drain. The causes of `unnamed`:
    `process_gone` (it ended before anyone looked), `not_mapped` (outside its code: mostly what a
    frame-pointer walk takes for an address), `anonymous` (memory without a file, and no perf-map
    entry), `no_symbol` (its file names others but not it), `kernel_hidden` (kptr_restrict), and
    those of `files`.

    `files` counts files by what came of reading them: `ok`, `names_only` (functions but no lines:
    its DWARF is broken or too much), `no_symbols` (stripped), `bad_elf`, `timeout`, `crashed` (its
    reader died of it), `no_room` (memory or disk). Addresses in files that could not be opened
    count as `file_unreadable`, `file_system_silent` or `file_too_large`, and as `postponed` where
    the file is read in
    the next drain.

    `spied` counts the samples of processes that py-spy saw, as far as they ran Python, by the
    stacks that they are shown with: `python` or `native`.

    `without_place` counts samples whose series was one too many of its drain, and which are in the
    series of all such.

    `debuginfod` counts the debug files that servers were asked for: `found`, `missing`, `timeout`,
    `too_large`, `cut`, `wrong_file` (of another build, or none at all), `refused` (an error of
    HTTP), `unreachable`, `no_room`.
    """

    named: int = 0
    unnamed: Counter[str] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    spied: Counter[str] = field(default_factory=Counter)
    debuginfod: Counter[str] = field(default_factory=Counter)
    without_place: int = 0
    file_nanoseconds: int = 0
    evicted_files: int = 0
