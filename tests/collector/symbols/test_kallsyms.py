from hypothesis import given
from hypothesis import strategies as st

from collector.symbols.kallsyms import MAX_REACH, Kallsyms, KernelSymbol, parse_kallsyms

TEXT = b"""ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000000 T srso_untrain_ret
ffffffff81000000 t local_alias
ffffffff81000040 t do_one.isra.0
ffffffff81000080 D some_data
ffffffff81000100 W weak_one
ffffffffc0353340 t ext4_readdir\t[ext4]
ffffffffc0400000 t bpf_prog_6deef7357e7b4530_count\t[bpf]
"""


def name(symbols: Kallsyms, address: int) -> str | None:
    symbol = symbols.lookup(address)
    return symbol.name if symbol else None


def test_an_address_belongs_to_the_function_before_it() -> None:
    symbols = parse_kallsyms(TEXT)
    assert name(symbols, 0xFFFFFFFF81000041) == "do_one.isra.0"
    assert name(symbols, 0xFFFFFFFF8100003F) == "srso_untrain_ret"
    assert name(symbols, 0xFFFFFFFF80FFFFFF) is None


def test_data_is_not_code_and_does_not_end_a_function() -> None:
    assert name(parse_kallsyms(TEXT), 0xFFFFFFFF81000090) == "do_one.isra.0"


def test_of_several_names_the_plain_public_one_is_shown() -> None:
    assert name(parse_kallsyms(TEXT), 0xFFFFFFFF81000000) == "srso_untrain_ret"


def test_the_kernel_begins_at_its_text() -> None:
    assert parse_kallsyms(TEXT).base == 0xFFFFFFFF81000000
    assert parse_kallsyms(TEXT.replace(b"_text", b"other")).base == 0


def test_modules_are_named() -> None:
    symbol = parse_kallsyms(TEXT).lookup(0xFFFFFFFFC0353350)
    assert symbol == KernelSymbol("ext4_readdir", "ext4", 0xFFFFFFFFC0353340)


def test_no_function_reaches_into_memory_that_is_not_listed() -> None:
    symbols = parse_kallsyms(TEXT)
    assert name(symbols, 0xFFFFFFFF81000100 + MAX_REACH - 1) == "weak_one"
    assert name(symbols, 0xFFFFFFFF81000100 + MAX_REACH) is None


def test_addresses_beyond_64_bits_are_nowhere() -> None:
    assert parse_kallsyms(TEXT).lookup(-1) is None
    assert parse_kallsyms(TEXT).lookup(1 << 64) is None


def test_hidden_addresses_are_reported_with_the_next_step() -> None:
    symbols = parse_kallsyms(b"0000000000000000 T _stext\n0000000000000000 t do_one\n")
    assert len(symbols) == 0 and symbols.lookup(0) is None
    assert "kptr_restrict" in symbols.problem


def test_an_empty_file_is_reported() -> None:
    assert "CONFIG_KALLSYMS" in parse_kallsyms(b"").problem


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    parse_kallsyms(noise).lookup(0)
    parse_kallsyms(TEXT + noise + b"\n" + TEXT).lookup(0xFFFFFFFF81000041)


@given(
    st.lists(st.integers(1, 1 << 62), min_size=1, max_size=30, unique=True),
    st.integers(0, 1 << 62),
)
def test_the_search_finds_what_a_walk_through_all_lines_finds(
    addresses: list[int], wanted: int
) -> None:
    text = "".join(f"{address:016x} T function_{address}\n" for address in addresses)
    below = [address for address in addresses if 0 <= wanted - address < MAX_REACH]
    expected = f"function_{max(below)}" if below else None
    assert name(parse_kallsyms(text.encode()), wanted) == expected
