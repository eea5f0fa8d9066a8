/* burn <- handler <- the C library's return from signals <- wait_here <- interrupted <- main */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <unistd.h>
#include "burn.h"

volatile unsigned long turns;

void handler(int number)
{
	(void)number;
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

int main(void)
{
	signal(SIGALRM, handler);
	ualarm(100000, 0);
	interrupted();
	CALLED();
}
