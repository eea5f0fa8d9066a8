import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.processes.text import MAX_NAME
from collector.symbols import rust
from collector.symbols.demangle import demangle

# Names of g++ 12 and rustc 1.95, as c++filt 2.40 demangles them, less Rust's hashes and the
# types of its constants.
NAMES = {
    "main": "main",
    "runtime.mallocgc": "runtime.mallocgc",
    "main.(*Cart[...]).Add": "main.(*Cart[...]).Add",
    "_ZNSt6vectorIiSaIiEE9push_backERKi": (
        "std::vector<int, std::allocator<int> >::push_back(int const&)"
    ),
    "_ZN3fooEv.cold": "foo()",
    "__libc_start_main@@GLIBC_2.34": "__libc_start_main",
    "malloc@plt": "malloc@plt",
    "_PyEval_EvalFrameDefault.cold.1": "_PyEval_EvalFrameDefault",
    "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE": "core::fmt::Formatter::pad",
    "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar"
    "17h930b740aa94f1d3aE": "<Test + 'static as foo::Bar<Test>>::bar",
    "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE.llvm.1234": "core::fmt::Formatter::pad",
    "_RNvCs1234_7mycrate3foo": "mycrate::foo",
    "_RNvCs1234_7mycrate3foo.cold": "mycrate::foo",
    "_RNvMsB_NtCs3BFokC4QLxY_4core3numm16from_ascii_radix.937": "<u32>::from_ascii_radix",
    "_RNvXs0_NtNtCs7OxSQD10jZQ_18tracing_subscriber3fmt4timeFG0_QL1_INtNtB7_6format6WriterL0_EE"
    "INtNtCsgEmfK2I1SDS_4core6result6ResultuNtNtB1u_3fmt5ErrorENtB5_10FormatTime11format_time": (
        "<for<'a, 'b> fn(&'a mut tracing_subscriber::fmt::format::Writer<'b>) -> "
        "core::result::Result<(), core::fmt::Error> as "
        "tracing_subscriber::fmt::time::FormatTime>::format_time"
    ),
    "_RNvXs0_NtCsgEmfK2I1SDS_4core3anyDNtB5_3AnyNtNtB7_6marker4SendEL_NtNtB7_3fmt5Debug3fmt": (
        "<dyn core::any::Any + core::marker::Send as core::fmt::Debug>::fmt"
    ),
    "_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVecTOhFUKCBN_EuENtNtCsjrHSEGnQ3l9_3std5alloc"
    "6SystemE8grow_oneB13_": (
        '<alloc::raw_vec::RawVec<(*mut u8, unsafe extern "C" fn(*mut u8)), '
        "std::alloc::System>>::grow_one"
    ),
    "_RNvMs3_NtCslNYArtu3iFV_5alloc7raw_vecINtB5_6RawVecINtNtB7_5boxed3BoxDINtNtNtCsgEmfK2I1SDS_"
    "4core3ops8function5FnMutuEp6OutputINtNtB1c_6result6ResultuNtNtNtCsjrHSEGnQ3l9_3std2io5error5"
    "ErrorENtNtB1c_6marker4SyncNtB32_4SendEL_EE8grow_oneB2s_": (
        "<alloc::raw_vec::RawVec<alloc::boxed::Box<dyn core::ops::function::FnMut<(), Output = "
        "core::result::Result<(), std::io::error::Error>> + core::marker::Sync + "
        "core::marker::Send>>>::grow_one"
    ),
    "_RNvNCNKNvNtCs3zyCZg5iFum_8fastrand10global_rng3RNG0s_023___RUST_STD_INTERNAL_VAL": (
        "fastrand::global_rng::RNG::{K#0}::{closure#1}::__RUST_STD_INTERNAL_VAL"
    ),
    "_RNvXs0_NtCsfoXig8kEbyV_12simd_adler324hashAhj0_NtB7_11Adler32Hash4hash": (
        "<[u8; 0] as simd_adler32::Adler32Hash>::hash"
    ),
    "_RINtNtCs1234_5alloc3vec3VecKc41_E": "alloc::vec::Vec::<'A'>",
    "_RIC3fooKan7b_E": "foo::<-123>",
    "_RIC3fooKb1_E": "foo::<true>",
    "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y": (
        "utf8_idents::საჭმელად_გემრიელი_სადილი"
    ),
}


@pytest.mark.parametrize("mangled", NAMES)
def test_a_name_is_shown_as_its_language_writes_it(mangled: str) -> None:
    assert demangle(mangled) == NAMES[mangled]


@pytest.mark.parametrize("name", ["_ZN", "_Z", "_R", "_RNvC3fo", "_RB_", "_ZN17hE", "_RNvC99a1b"])
def test_what_is_not_a_name_stays_as_it_is(name: str) -> None:
    assert demangle(name) == name


def doubling(levels: int) -> str:
    """A Rust name of some 12 bytes a level whose text doubles with each: tuples of two
    references to the tuple before."""
    name, previous = "IC1f", "TuuE"
    for _ in range(levels):
        at = len(name)
        name += previous
        digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        number = at - 1
        reference = "B" + (digits[number // 62] if number >= 62 else "") + digits[number % 62] + "_"
        previous = f"T{reference}{reference}E"
    return f"_R{name}{previous}E"


HOSTILE = {
    "references that double": doubling(60),
    "lifetimes without end": "_RIC1fFGzzzzzzz_EuE",
    "types in types": "_RIC1f" + "R" * 900 + "uE",
    "paths in paths": "_R" + "Nv" * 450 + "C1a",
    "packs in packs": "_Z1fI" + ("J" + "i" * 90 + "E") * 5 + "Ev"
    "Dp1PIDp1PIDp1PIDp1PIDpT_T0_ET1_ET2_ET3_E",
    "substitutions that triple": "_Z1f1A1PIS_S_S_E"
    + "".join(f"S0_I{f'S{level}_' * 3}E" for level in "123456789ABCDEFGHIJKLMNOP"),
    "pointers to pointers": "_Z1f" + "P" * 1000 + "i",
    "a name of a megabyte": "_Z" + "1a" * 500_000,
    "legacy escapes": "_ZN200" + "$u10ffff$" * 22 + "xx17h0123456789abcdefE",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_name_costs_little_and_stays_short(kind: str) -> None:
    started = time.process_time()
    shown = demangle(HOSTILE[kind])
    assert time.process_time() - started < 0.5
    assert len(shown) <= MAX_NAME * len("\\U0010ffff")


def test_the_doubling_name_is_a_name() -> None:
    assert demangle(doubling(2)) == "f::<((), ()), (((), ()), ((), ())), " + (
        "((((), ()), ((), ())), (((), ()), ((), ())))>"
    )


@given(st.text(st.sampled_from("NvCMXYIBRQPOATFDLKGUEspuhc0123456789_abc.$"), max_size=80))
def test_any_text_is_a_rust_name_or_is_refused_within_bounds(text: str) -> None:
    for prefix in ("_R", "_ZN"):
        with suppress(rust.NotRust):
            assert len(rust.demangle(prefix + text)) <= rust.MAX_TEXT + len(text)
        demangle(prefix + text + "17h0123456789abcdefE").encode("utf-8", "strict")


@given(st.text(max_size=100))
def test_whatever_a_symbol_is_called_it_is_shown_as_valid_text(name: str) -> None:
    for prefix in ("", "_Z", "_R"):
        shown = demangle(prefix + name)
        assert shown.isprintable()
        shown.encode()
