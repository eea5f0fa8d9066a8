/* burn <- recurse, N + 1 times <- main */
#include <stdlib.h>
#include "burn.h"

__attribute__((noinline, noclone)) int recurse(int depth)
{
	volatile char room[40];

	room[depth % 40] = depth;
	if (depth == 0)
		burn();
	else
		recurse(depth - 1);
	return room[depth % 40];
}

int main(int count, char **arguments)
{
	return recurse(count > 1 ? atoi(arguments[1]) : 10);
}
