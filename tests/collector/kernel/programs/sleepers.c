/* Sleeps for a millisecond over and over, in 32 threads with a name each, until it is killed. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 32 };

static void *rest(void *name)
{
	pthread_setname_np(pthread_self(), name);
	for (;;)
		usleep(1000);
	return 0;
}

int main(void)
{
	static char names[THREADS][16];
	pthread_t thread;

	for (int i = 0; i < THREADS; i++) {
		snprintf(names[i], sizeof(names[i]), "sleeper-%d", i);
		pthread_create(&thread, 0, rest, names[i]);
	}
	pause();
}
