/* Runs through 4,096 different stacks until it is killed: the bits of `path` choose the callees. */
static volatile unsigned long sink;

static void descend(unsigned path, int depth);

__attribute__((noinline)) static void left(unsigned path, int depth)
{
	descend(path, depth);
	sink++; /* keeps the call from being a jump */
}

__attribute__((noinline)) static void right(unsigned path, int depth)
{
	descend(path, depth);
	sink++;
}

__attribute__((noinline)) static void descend(unsigned path, int depth)
{
	if (depth == 0)
		for (int i = 0; i < 2000; i++)
			sink += i;
	else if (path & 1)
		left(path >> 1, depth - 1);
	else
		right(path >> 1, depth - 1);
	sink++;
}

int main(void)
{
	for (unsigned path = 0;; path = (path * 5 + 1) & 4095)
		descend(path, 12);
}
