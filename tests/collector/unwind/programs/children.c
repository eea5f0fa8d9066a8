/* burn <- child <- main in a child of fork, or of vfork where there is an argument */
#include <sys/wait.h>
#include <unistd.h>
#include "burn.h"

__attribute__((noinline, noclone)) void child(void)
{
	burn();
	CALLED();
}

int main(int count, char **arguments)
{
	(void)arguments;
	if ((count > 1 ? vfork() : fork()) == 0)
		child();
	wait(0);
}
