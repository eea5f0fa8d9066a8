/*
 * Makes COUNT control groups in FOLDER, called as Docker calls those of its containers, each with a
 * program that works for 2 ms of a CPU and then sleeps; removes each after its program's end. There
 * are 100 at a time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 100, SLEEP_US = 300000 };

static char groups[AT_ONCE][4096];
static pid_t programs[AT_ONCE];

static void enter(const char *group)
{
	char path[5000];
	int file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, "0", 1) != 1)
		_exit(1);
	close(file);
}

static int removed(int place)
{
	int status;

	return waitpid(programs[place], &status, 0) > 0 && !status && !rmdir(groups[place]);
}

int main(int size, char **arguments)
{
	long count = size == 3 ? atol(arguments[2]) : 0;

	if (size == 2) { /* the program of a container */
		while (clock() < 2 * CLOCKS_PER_SEC / 1000)
			;
		usleep(SLEEP_US);
		return 0;
	}
	for (long i = 0; i < count + AT_ONCE; i++) {
		int place = i % AT_ONCE;

		if (i >= AT_ONCE && !removed(place))
			return 1;
		if (i >= count)
			continue;
		snprintf(groups[place], sizeof(groups[place]), "%s/docker-%064lx.scope", arguments[1],
			 i);
		if (mkdir(groups[place], 0755))
			return 2;
		programs[place] = fork();
		if (!programs[place]) {
			enter(groups[place]);
			execl("/proc/self/exe", arguments[0], "work", (char *)NULL);
			_exit(127);
		}
	}
	return 0;
}
