from hypothesis import given
from hypothesis import strategies as st

from collector.processes.maps import MAX_MAPPINGS, Mapping, parse_maps

TEXT = rb"""55d377ef1000-55d377ef3000 r--p 00000000 fe:00 247026                     /usr/bin/cat
55d377ef3000-55d377ef8000 r-xp 00002000 fe:00 247026                     /usr/bin/cat
7f0c4c000000-7f0c4c021000 rwxp 00000000 00:00 0
7f0c50000000-7f0c50001000 r-xp 00000000 00:01 4096                       /memfd:jit (deleted)
7f0c51000000-7f0c51001000 r-xs 00003000 fe:1f 9                          /srv/a b\012c (deleted)
7ffe12345000-7ffe12347000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""


def test_only_executable_mappings_are_kept_by_address() -> None:
    mappings = parse_maps(TEXT)
    assert [mapping.name for mapping in mappings] == [
        "cat", "[anon]", "memfd:jit", "a b\\nc", "[vdso]", "[vsyscall]",
    ]  # fmt: skip
    assert mappings[0] == Mapping(
        0x55D377EF3000, 0x55D377EF8000, 0x2000, (0xFE, 0), 247026, b"/usr/bin/cat"
    )


def test_a_deleted_file_keeps_its_path_and_a_newline_in_it_is_one() -> None:
    deleted = parse_maps(TEXT)[3]
    assert deleted.deleted and deleted.path == b"/srv/a b\nc" and deleted.device == (0xFE, 0x1F)


def test_memory_without_a_file_is_anonymous() -> None:
    anonymous = [mapping.name for mapping in parse_maps(TEXT) if mapping.anonymous]
    assert anonymous == ["[anon]", "[vdso]", "[vsyscall]"]
    assert [mapping.name for mapping in parse_maps(TEXT) if mapping.vdso] == ["[vdso]"]


def test_a_file_called_vdso_is_not_the_vdso() -> None:
    line = b"1000-2000 r-xp 00000000 fe:00 7   [vdso]\n"
    assert not parse_maps(line)[0].vdso


def test_a_line_that_was_cut_is_left_out() -> None:
    assert len(parse_maps(TEXT[:-10])) == len(parse_maps(TEXT)) - 1


def test_more_mappings_than_any_program_has_are_not_kept() -> None:
    lines = b"".join(
        b"%x-%x r-xp 00000000 00:00 0\n" % (at * 4096, at * 4096 + 1) for at in range(20_000)
    )
    assert len(parse_maps(lines)) == MAX_MAPPINGS


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    parse_maps(noise)
    parse_maps(b"1000-2000 r-xp 00000000 fe:00 7   /" + noise + b"\n" + TEXT)


@given(st.binary(max_size=100).filter(lambda name: b"\n" not in name and b"\0" not in name))
def test_every_name_that_a_file_can_have_is_shown_as_valid_text(name: bytes) -> None:
    (mapping,) = parse_maps(b"1000-2000 r-xp 00000000 fe:00 7   /" + name + b"\n")
    assert mapping.name.isprintable()
    mapping.name.encode()
