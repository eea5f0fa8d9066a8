/*
 * burn <- handler <- the C library's return from signals <- wait_here <- interrupted <- main, once
 * SIGALRM came; says when it may come, and that it came. Without an argument, it sends it to itself.
 */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <unistd.h>
#include "burn.h"

volatile unsigned long turns;

void handler(int number)
{
	(void)number;
	if (write(1, "!", 1) == 1)
		burn();
	CALLED();
}

/* A leaf, interrupted anywhere: its frame must be found by the exact address. */
__attribute__((noinline, noclone)) void wait_here(void)
{
	for (;;)
		turns++;
}

__attribute__((noinline, noclone)) void interrupted(void)
{
	wait_here();
	CALLED();
}

int main(int count, char **arguments)
{
	(void)arguments;
	signal(SIGALRM, handler);
	if (count < 2)
		ualarm(100000, 0);
	if (write(1, "!", 1) == 1)
		interrupted();
	CALLED();
}
