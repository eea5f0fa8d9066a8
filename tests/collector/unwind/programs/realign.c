/* burn <- aligned <- grown <- main, with stacks that the compiler realigns or grows */
#include <alloca.h>
#include <string.h>
#include "burn.h"

volatile char seen;

__attribute__((noinline, noclone)) void aligned(int size)
{
	volatile char wide[64] __attribute__((aligned(64)));
	char *more = alloca(size);

	memset(more, size, size);
	wide[size % 64] = more[size / 2];
	burn();
	seen = wide[0];
}

__attribute__((noinline, noclone)) void grown(int size)
{
	char *more = alloca(size);

	memset(more, size, size);
	aligned(size / 2);
	seen = more[size / 2];
}

int main(int count, char **arguments)
{
	(void)arguments;
	grown(500 * count);
	CALLED();
}
