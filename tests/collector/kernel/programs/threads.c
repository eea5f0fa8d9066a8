/* Spins in two threads, named "left" and "right", until it is killed. */
#define _GNU_SOURCE
#include <pthread.h>

static void *spin(void *name)
{
	static volatile unsigned long sink;

	pthread_setname_np(pthread_self(), name);
	for (;;)
		sink++;
	return 0;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, 0, spin, "right");
	spin("left");
}
