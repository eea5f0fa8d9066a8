/* leaf <- main, where leaf keeps nothing on the stack; or main alone */
volatile unsigned long turns;

__attribute__((noinline, noclone)) unsigned long leaf(unsigned long value)
{
	for (int i = 0; i < 1000; i++)
		value = value * 6364136223846793005 + 1442695040888963407;
	return value;
}

int main(void)
{
	for (;;)
		turns = leaf(turns);
}
