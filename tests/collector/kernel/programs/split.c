/*
 * Spends its time 3 : 1 in two functions until it is killed, or has used as many milliseconds of a
 * CPU as its argument says; it then ends with 7. Each turn of a loop waits for the one
 * before, in a register: what a turn over memory costs differs from place to place, on some CPUs by
 * a factor of two. The loops are the same code at the same place of a cache line, for that matters
 * likewise. How often they turn changes from round to round, so that no sampling period can keep
 * step with the rounds.
 */
#include <stdlib.h>
#include <time.h>

#define SPIN(turns)                                          \
	for (unsigned long i = 0, x = 1; i < (turns); i++) { \
		x = x * 3 + i;                               \
		__asm__ volatile("" : "+r"(x));              \
	}

__attribute__((noinline, aligned(64))) void three_quarters(unsigned long turns)
{
	SPIN(turns);
}

__attribute__((noinline, aligned(64))) void one_quarter(unsigned long turns)
{
	SPIN(turns);
}

int main(int count, char **arguments)
{
	unsigned long turns, random = 1;

	while (count < 2 || clock() * 1000 / CLOCKS_PER_SEC < atoi(arguments[1])) {
		random = random * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
		turns = 50000 + (random >> 33) % 100000;
		three_quarters(3 * turns);
		one_quarter(turns);
	}
	return 7;
}
