/*
 * A thread that is not the first one sleeps for 1 ms and executes the program again: COUNT times. In the
 * kernel it takes over the number of the first one then, which ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static char next[16], **words;

static void *execute(void *unused)
{
	struct timespec ms = {0, 1000000};

	nanosleep(&ms, NULL);
	execl("/proc/self/exe", words[0], next, (char *)NULL);
	_exit(2);
}

int main(int size, char **arguments)
{
	int count = size > 1 ? atoi(arguments[1]) : 0;
	pthread_t thread;

	if (!count)
		return 0;
	words = arguments;
	snprintf(next, sizeof(next), "%d", count - 1);
	if (pthread_create(&thread, NULL, execute, NULL))
		return 1;
	pause();
	return 3;
}
