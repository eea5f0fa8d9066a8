/*
 * Waits for a byte; then touches 400 pages that were never there, calls probed() 250 times, sends 150
 * bytes to itself, each a system call, and sleeps 50 times for 1 ms; and waits again, for its end.
 */
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGES = 400, CALLS = 250, WRITES = 150, SLEEPS = 50, PAGE = 4096 };

__attribute__((noinline)) void probed(void)
{
	static volatile unsigned long sink;

	sink++;
}

__attribute__((noinline)) static void touch(volatile char *pages)
{
	for (int i = 0; i < PAGES; i++)
		pages[i * PAGE] = 1;
}

int main(void)
{
	struct timespec ms = {0, 1000000};
	int ends[2];
	char byte;
	char *pages = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(pages, PAGES * PAGE, MADV_NOHUGEPAGE);
	if (pipe(ends) || read(0, &byte, 1) != 1)
		return 1;
	touch(pages);
	for (int i = 0; i < CALLS; i++)
		probed();
	for (int i = 0; i < WRITES; i++)
		if (write(ends[1], &byte, 1) != 1)
			return 1;
	for (int i = 0; i < SLEEPS; i++)
		nanosleep(&ms, 0);
	if (write(1, &byte, 1) != 1)
		return 1;
	return read(0, &byte, 1) != 0;
}
