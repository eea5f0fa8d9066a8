/*
 * Starts COUNT processes that do nothing, says "ready", and waits to be killed, with which they end.
 * They share its memory, so each costs little more than its number.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { STACK = 4096 };

static int wait_for_end(void *unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return unused != NULL;
}

int main(int size, char **arguments)
{
	long count = size == 2 ? atol(arguments[1]) : 0;
	char *stacks = aligned_alloc(STACK, (size_t)count * STACK);

	if (!stacks)
		return 2;
	for (long i = 1; i <= count; i++)
		if (clone(wait_for_end, stacks + i * STACK, CLONE_VM | SIGCHLD, NULL) < 0) {
			perror("clone");
			return 1;
		}
	puts("ready");
	fflush(stdout);
	pause();
}
