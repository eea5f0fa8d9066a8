// Fills the heap for ever, so that goroutines change to their threads' stacks and back.
package main

var kept [4096][]byte

func fill(n int) {
	for i := range kept {
		kept[i] = make([]byte, 100+(i*n)%3000)
	}
}

func main() {
	go func() {
		for n := 0; ; n++ {
			fill(n)
		}
	}()
	for n := 0; ; n++ {
		fill(n)
	}
}
