/* Spends 100 ms of a CPU in one of two functions, then executes itself for the other: COUNT times. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

__attribute__((noipa)) int burn(int ms)
{
	volatile int turns = 0;
	clock_t end = clock() + ms * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		turns++;
	return turns > 0;
}

__attribute__((noinline)) int even(void)
{
	return burn(100) + 1;
}

__attribute__((noinline)) int odd(void)
{
	return burn(100) + 2;
}

int main(int size, char **arguments)
{
	int count = size > 1 ? atoi(arguments[1]) : 0;
	char next[16];

	if (!count)
		return 0;
	snprintf(next, sizeof(next), "%d", count - 1);
	if (!(count % 2 ? odd() : even()))
		return 1;
	execl("/proc/self/exe", arguments[0], next, (char *)NULL);
	return 2;
}
