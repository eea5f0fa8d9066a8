// burn <- ~Guard <- middle <- outer <- main, while an exception from thrower passes through
#include <stdexcept>
#include "burn.h"

struct Guard {
	__attribute__((noinline)) ~Guard()
	{
		burn();
		CALLED();
	}
};

__attribute__((noinline, noclone)) void thrower(int depth)
{
	if (depth == 0)
		throw std::runtime_error("thrown");
	thrower(depth - 1);
	CALLED();
}

__attribute__((noinline, noclone)) void middle()
{
	Guard guard;

	thrower(20);
}

__attribute__((noinline, noclone)) void outer()
{
	middle();
	CALLED();
}

int main()
{
	try {
		outer();
	} catch (const std::exception &) {
		return 1;
	}
	return 0;
}
