/* the vdso <- clock_gettime <- reader <- main */
#include <time.h>

volatile long seen;

__attribute__((noinline, noclone)) void reader(void)
{
	struct timespec now;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		seen = now.tv_nsec;
	}
}

int main(void)
{
	reader();
}
