/* Spends its time 3 : 1 in two functions until it is killed. */
static volatile unsigned long sink;

#define SPIN(times) for (unsigned long i = 0; i < (times); i++) sink += i

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
