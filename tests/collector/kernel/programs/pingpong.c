/* Two processes that hand a byte to and fro, each from below 20 functions, until they are killed. */
#include <stdlib.h>
#include <unistd.h>

static int in, out;

__attribute__((noinline)) static int descend(int depth)
{
	static volatile int returned;
	char byte = 0;

	if (depth) {
		returned = descend(depth - 1);
		return returned;
	}
	for (;;)
		if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
			exit(1);
}

int main(void)
{
	int there[2], back[2], child;

	if (pipe(there) || pipe(back))
		return 1;
	child = fork() == 0;
	in = child ? there[0] : back[0];
	out = child ? back[1] : there[1];
	close(child ? there[1] : back[1]);
	close(child ? back[0] : there[0]);
	return descend(20);
}
