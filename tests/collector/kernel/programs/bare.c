/* Spins below known callers until it is killed: built without frame pointers. */
static volatile unsigned long sink;

__attribute__((noinline)) static void descend(int depth);

__attribute__((noinline)) static void innermost(void)
{
	for (;;)
		sink++;
}

__attribute__((noinline)) static void third(void)
{
	innermost();
	sink++;
}

__attribute__((noinline)) static void second(int depth)
{
	descend(depth);
	sink++;
}

__attribute__((noinline)) static void descend(int depth)
{
	if (depth)
		second(depth - 1);
	else
		third();
	sink++;
}

int main(void)
{
	descend(150); /* 300 frames: more than the kernel walks */
	sink++;
}
