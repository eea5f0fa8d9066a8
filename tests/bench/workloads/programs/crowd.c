/*
 * Keeps processes: `crowd IDLE BUSY`. The idle ones wait for a signal. The busy ones each work for
 * 20 ms of CPU time, some calls deep, and end; another one, which executes this program anew, takes
 * the place of each. It says "ready" when all are there.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 10 };
static const long WORK_NS = 20000000;

volatile unsigned long turns;

static long used_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

__attribute__((noinline, noclone)) long descend(int depth)
{
	if (depth)
		descend(depth - 1);
	else
		while (used_ns() < WORK_NS)
			for (int i = 0; i < 20000; i++)
				turns++;
	return turns;
}

static void start(char *self, const char *what)
{
	switch (fork()) {
	case 0:
		execl(self, self, what, NULL);
		_exit(127);
	case -1:
		perror("fork");
		exit(1);
	}
}

int main(int count, char **arguments)
{
	if (count == 2) {
		if (!strcmp(arguments[1], "wait"))
			pause();
		else
			descend(DEPTH);
		return 0;
	}
	if (count != 3)
		return 2;
	for (int i = atoi(arguments[1]); i > 0; i--)
		start(arguments[0], "wait");
	for (int i = atoi(arguments[2]); i > 0; i--)
		start(arguments[0], "work");
	puts("ready");
	fflush(stdout);
	while (wait(NULL) > 0)
		start(arguments[0], "work");
	return 1;
}
