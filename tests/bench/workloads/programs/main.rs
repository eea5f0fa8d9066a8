// Works for ever: recursion, formatting, sorting, a map of strings.
use std::collections::HashMap;
use std::hint::black_box;

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { black_box(fib(n - 1)) + fib(n - 2) }
}

#[inline(never)]
fn count(seed: u64) -> HashMap<String, u64> {
    let mut words = HashMap::new();
    for i in 0..500 {
        *words.entry(format!("word{}", (i * 7919 + seed) % 199)).or_insert(0) += 1;
    }
    words
}

#[inline(never)]
fn order(words: &HashMap<String, u64>) -> usize {
    let mut names: Vec<&String> = words.keys().collect();
    names.sort();
    names[0].len()
}

fn main() {
    let mut turn = 0;
    loop {
        black_box(fib(15) as usize + order(&count(turn % 64)));
        turn += 1;
    }
}
