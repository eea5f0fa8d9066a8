/*
 * A second of each: sleeps 300 ms, waits 200 ms for a lock and works for 500 ms of CPU time; three
 * times. Prints how long each of them took in all, in nanoseconds.
 */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { ROUNDS = 3, MS = 1000000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t taken;

static long now_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

__attribute__((noinline)) static void pause_for(long ms)
{
	struct timespec time = {0, ms * MS};

	nanosleep(&time, 0);
}

static void *hold(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		pthread_barrier_wait(&taken);
		pause_for(200);
		pthread_mutex_unlock(&lock);
		pthread_barrier_wait(&taken); /* until the other one has had it */
	}
	return unused;
}

__attribute__((noinline)) static long rest(void)
{
	long from = now_ns(CLOCK_MONOTONIC);

	pause_for(300);
	return now_ns(CLOCK_MONOTONIC) - from;
}

__attribute__((noinline)) static long contend(void)
{
	long from = now_ns(CLOCK_MONOTONIC);

	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return now_ns(CLOCK_MONOTONIC) - from;
}

__attribute__((noinline)) static long work(void)
{
	static volatile unsigned long sink;
	long from = now_ns(CLOCK_THREAD_CPUTIME_ID);

	while (now_ns(CLOCK_THREAD_CPUTIME_ID) - from < 500 * MS)
		for (int i = 0; i < 10000; i++)
			sink++;
	return now_ns(CLOCK_THREAD_CPUTIME_ID) - from;
}

int main(void)
{
	long rested = 0, contended = 0, worked = 0;
	pthread_t holder;

	pthread_barrier_init(&taken, 0, 2);
	pthread_create(&holder, 0, hold, 0);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&taken);
		contended += contend();
		pthread_barrier_wait(&taken);
		rested += rest();
		worked += work();
	}
	pthread_join(holder, 0);
	printf("%ld %ld %ld\n", rested, contended, worked);
}
