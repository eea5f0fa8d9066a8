/*
 * Does a fixed piece of work in three functions, in `parse` SLOWER percent more than in the others'
 * terms. Each turn waits for the one before, in a register, and all loops are the same code at the
 * same place of a cache line: see split.c.
 */
#include <stdlib.h>

#ifndef SLOWER
#define SLOWER 0
#endif

#define SPIN(turns)                                          \
	for (unsigned long i = 0, x = 1; i < (turns); i++) { \
		x = x * 3 + i;                               \
		__asm__ volatile("" : "+r"(x));              \
	}

__attribute__((noinline, aligned(64))) void parse(unsigned long turns)
{
	SPIN(turns);
}

__attribute__((noinline, aligned(64))) void compute(unsigned long turns)
{
	SPIN(turns);
}

__attribute__((noinline, aligned(64))) void render(unsigned long turns)
{
	SPIN(turns);
}

int main(int count, char **arguments)
{
	unsigned long rounds = count > 1 ? strtoul(arguments[1], 0, 10) : 100, random = 1;

	while (rounds--) {
		random = random * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
		unsigned long turns = 50000 + (random >> 33) % 100000;
		parse(turns * (100 + SLOWER) / 100);
		compute(turns);
		render(turns / 2);
	}
	return 0;
}
