/*
 * Starts 100 processes a second, one every 10 ms. Each lives for 50 ms: it works five times for
 * 1 ms of CPU time, 11 calls deep, and sleeps until the next 10 ms have passed; so 2 CPUs can keep
 * the pace for as long as one likes. A late start makes none after it late. It says how many it has
 * started.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { A_SECOND = 100, TURNS = 5, DEPTH = 10 };
static const long INTERVAL_NS = 10000000, WORK_NS = 1000000;

volatile unsigned long turns;

static long now_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void sleep_until(long ns)
{
	struct timespec time = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

__attribute__((noinline, noclone)) void spin(long ns)
{
	long end = now_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		for (int i = 0; i < 20000; i++)
			turns++;
}

__attribute__((noinline, noclone)) long descend(int depth, long ns)
{
	if (depth == 0)
		spin(ns);
	else
		descend(depth - 1, ns);
	return turns;
}

static int work(void)
{
	long start = now_ns(CLOCK_MONOTONIC);

	for (int turn = 1; turn <= TURNS; turn++) {
		descend(DEPTH, WORK_NS);
		sleep_until(start + turn * INTERVAL_NS);
	}
	return 0;
}

int main(int count, char **arguments)
{
	long due = now_ns(CLOCK_MONOTONIC);
	int started = 0;

	if (count > 1)
		return work();
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		due += INTERVAL_NS;
		sleep_until(due);
		switch (fork()) {
		case 0:
			execl(arguments[0], arguments[0], "work", NULL);
			_exit(127);
		case -1:
			break;
		default:
			if (++started % A_SECOND == 0) {
				printf("%d\n", started);
				fflush(stdout);
			}
		}
	}
}
