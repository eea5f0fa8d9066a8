/* burn <- main, or, after SIGALRM, spin in a library that was not there before <- main */
#define _DEFAULT_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t rung;

static void ring(int number)
{
	(void)number;
	rung = 1;
}

int main(int count, char **arguments)
{
	void (*spin)(void);

	(void)count;
	signal(SIGALRM, ring);
	ualarm(500000, 0);
	while (!rung)
		;
	spin = (void (*)(void))dlsym(dlopen(arguments[1], RTLD_NOW), "spin");
	spin();
}
