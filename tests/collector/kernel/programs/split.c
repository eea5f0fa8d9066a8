/*
 * Spends its time 3 : 1 in two functions until it is killed. Each turn of a loop waits for the one
 * before, in a register: what a turn over memory costs differs from place to place, on some CPUs by
 * a factor of two.
 */
#define SPIN(times)                                          \
	for (unsigned long i = 0, x = 1; i < (times); i++) { \
		x = x * 3 + i;                               \
		__asm__ volatile("" : "+r"(x));              \
	}

__attribute__((noinline)) void three_quarters(void)
{
	SPIN(300000);
}

__attribute__((noinline)) void one_quarter(void)
{
	SPIN(100000);
}

int main(void)
{
	for (;;) {
		three_quarters();
		one_quarter();
	}
}
