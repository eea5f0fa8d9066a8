/*
 * Works for so many milliseconds of a CPU in a function called NAME. Linked statically and at fixed
 * addresses, programs with other names have the same addresses in their stacks.
 */
#include <stdlib.h>
#include <time.h>

__attribute__((noipa)) int NAME(long turns)
{
	volatile long turn = 0;

	while (turn < turns)
		turn++;
	return turn > 0;
}

int main(int size, char **arguments)
{
	clock_t end = size == 2 ? atoi(arguments[1]) * (CLOCKS_PER_SEC / 1000) : 0;

	while (clock() < end)
		NAME(100000);
	return 0;
}
