/* Spins below 200 frames until it is killed. */
static volatile unsigned long sink;

__attribute__((noinline)) static void descend(int depth)
{
	if (depth)
		descend(depth - 1);
	else
		for (;;)
			sink++;
	sink++;
}

int main(void)
{
	descend(200);
}
