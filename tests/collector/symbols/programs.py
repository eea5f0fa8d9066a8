"""Programs that the tests compile, run, and know the functions of.

Each prints the runtime addresses that it wants to be asked about, one `name address` a line, and
waits until its standard input ends.
"""

import lzma
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILD_ID = "0123456789abcdef0123456789abcdef01234567"

C_SOURCE = """
#include <stdio.h>

static void report(const char *name, void *address) { printf("%s %p\\n", name, address); }

__attribute__((noinline)) void here(void) {
    report("return", __builtin_return_address(0));  /* line 7 */
}

static inline __attribute__((always_inline)) void inner(void) {
    here();  /* line 11 */
    __asm__ volatile("");
}

static inline __attribute__((always_inline)) void middle(void) {
    inner();  /* line 16 */
}

__attribute__((noinline)) int outer(int count) {
    middle();  /* line 20 */
    return count + 1;
}

static __attribute__((noinline)) int hidden(int count) {
    __asm__ volatile("");
    return count * 3;
}

int main(int count, char **arguments) {
    report("outer", (void *)outer);
    report("hidden", (void *)hidden);
    int sum = outer(count) + hidden(count);
    fflush(stdout);
    getchar();
    return sum == -1;
}
"""

CPP_SOURCE = """
#include <cstdio>
namespace shop {
template <typename T> struct Cart {
    __attribute__((noinline)) static void add(T item) { __asm__ volatile("" :: "r"(&item)); }
};
}
int main() {
    shop::Cart<int>::add(1);
    std::printf("add %p\\n", (void *)&shop::Cart<int>::add);
    std::fflush(stdout);
    std::getchar();
}
"""

RUST_SOURCE = """
use std::io::{Read, Write};
struct Cart<T>(T);
impl<T: Copy> Cart<T> {
    #[inline(never)]
    fn add(&self) -> T { std::hint::black_box(self.0) }
}
fn main() {
    std::hint::black_box(Cart(1u8).add());
    println!("add {:#x}", Cart::<u8>::add as usize);
    std::io::stdout().flush().unwrap();
    std::io::stdin().read(&mut [0]).unwrap();
}
"""

GO_SOURCE = """
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
)

type Cart[T any] struct{ items []T }

//go:noinline
func here() {
	callers := make([]uintptr, 1)
	runtime.Callers(2, callers)
	fmt.Printf("return %#x\\n", callers[0])
}

func (c *Cart[T]) inner() {
	here() // line 21
}

func middle(c *Cart[int]) {
	c.inner() // line 25
}

//go:noinline
func outer(c *Cart[int]) int {
	middle(c) // line 30
	return len(c.items)
}

//go:noinline
func (c *Cart[T]) hidden(count int) int {
	return count * 3 // line 36
}

func main() {
	cart := &Cart[int]{}
	outer(cart)
	fmt.Printf("hidden %#x\\n", reflect.ValueOf((*Cart[int]).hidden).Pointer())
	cart.hidden(1)
	os.Stdin.Read(make([]byte, 1))
}
"""


@dataclass(frozen=True)
class Running:
    pid: int
    addresses: dict[str, int]


def needs(tool: str) -> str:
    """The tool's path; the test is skipped aloud where it is missing."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed")
    return path


def compiled(target: Path, source: str, *flags: str, compiler: str = "gcc") -> Path:
    language = "c++" if compiler == "g++" else "c"
    command = [needs(compiler), "-x", language, "-", "-o", str(target)]
    command += [f"-Wl,--build-id=0x{BUILD_ID}", *flags]
    subprocess.run(command, input=source, text=True, check=True, cwd=target.parent)
    return target


def with_compressed_names(target: Path, program: Path) -> Path:
    """As Fedora ships it: stripped, the functions that it does not export in .gnu_debugdata."""
    listing = [needs("nm"), "--format=posix", "--defined-only"]
    exported, defined = (
        {line.split()[0] for line in lines.splitlines() if line.split()[1] in "Tt"}
        for lines in (
            subprocess.run([*listing, *flags, program], capture_output=True, text=True).stdout
            for flags in (["-D"], [])
        )
    )
    inner, keep = target.with_suffix(".inner"), target.with_suffix(".keep")
    keep.write_text("\n".join(defined - exported))
    objcopy = needs("objcopy")
    subprocess.run([objcopy, "--only-keep-debug", program, inner], check=True)
    subprocess.run([objcopy, "-S", f"--keep-symbols={keep}", inner], check=True)
    inner.write_bytes(lzma.compress(inner.read_bytes()))
    subprocess.run(
        [objcopy, "-S", f"--add-section=.gnu_debugdata={inner}", program, target], check=True
    )
    return target


def address_of(symbol: str, program: Path) -> int:
    rows = subprocess.run([needs("nm"), program], capture_output=True, text=True).stdout
    return next(int(row.split()[0], 16) for row in rows.splitlines() if row.endswith(f" {symbol}"))


def go(target: Path, *flags: str, source: str = GO_SOURCE) -> Path:
    file = target.with_suffix(".go")
    file.write_text(source)
    command = [needs("go"), "build", "-o", str(target), *flags, str(file)]
    subprocess.run(command, check=True, cwd=target.parent)
    return target


def rust(target: Path, *flags: str) -> Path:
    source = target.with_suffix(".rs")
    source.write_text(RUST_SOURCE)
    subprocess.run([needs("rustc"), "-o", str(target), *flags, str(source)], check=True)
    return target


@contextmanager
def running(*command: str | Path) -> Iterator[Running]:
    """The program once it has said its addresses; it is stopped afterwards."""
    process = subprocess.Popen(
        [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        addresses: dict[str, int] = {}
        while not {"hidden", "return"} <= addresses.keys() and "add" not in addresses:
            name, _, address = process.stdout.readline().partition(" ")
            assert address, f"{command} ended before it said its addresses"
            addresses[name] = int(address, 16)
        yield Running(process.pid, addresses)
    finally:
        process.kill()
        process.communicate()
