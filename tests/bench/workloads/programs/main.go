// Works for ever: recursion, a map, sorting, on two goroutines.
package main

import (
	"sort"
	"strconv"
)

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

func count(seed int) map[string]int {
	words := map[string]int{}
	for i := 0; i < 2000; i++ {
		words["word"+strconv.Itoa((i*7919+seed)%499)]++
	}
	return words
}

func order(words map[string]int) string {
	names := make([]string, 0, len(words))
	for name := range words {
		names = append(names, name)
	}
	sort.Strings(names)
	return names[0]
}

func work(results chan<- int) {
	for turn := 0; ; turn++ {
		results <- fib(20) + len(order(count(turn%64)))
	}
}

func main() {
	results := make(chan int)
	go work(results)
	for range results {
		fib(18)
	}
}
