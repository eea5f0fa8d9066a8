/*
 * Maps a page of its own file COUNT times as code, each apart from the next so that the kernel keeps
 * them apart, and then works. It says "ready" when they are there.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

volatile unsigned long turns;

int main(int count, char **arguments)
{
	long mappings = count == 2 ? atol(arguments[1]) : 0;
	int file = open("/proc/self/exe", O_RDONLY);
	char *room = mmap(NULL, (size_t)mappings * 2 * PAGE + PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mappings <= 0 || file < 0 || room == MAP_FAILED)
		return 2;
	for (long i = 0; i < mappings; i++)
		if (mmap(room + i * 2 * PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
			 file, 0) == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
	puts("ready");
	fflush(stdout);
	for (;;)
		turns++;
}
