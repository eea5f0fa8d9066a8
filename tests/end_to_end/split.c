/* Spends its time 3 : 1 in two functions, for as long as it is left to run. */
static volatile unsigned long sink;

__attribute__((noinline)) void three_quarters(void)
{
	for (unsigned long i = 0; i < 3000000; i++)
		sink += i * i;
}

__attribute__((noinline)) void one_quarter(void)
{
	for (unsigned long i = 0; i < 1000000; i++)
		sink += i * i;
}

int main(void)
{
	for (;;) {
		three_quarters();
		one_quarter();
	}
}
