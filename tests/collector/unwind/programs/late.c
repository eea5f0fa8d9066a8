/*
 * main, or, once SIGALRM came, spin in a library that was not there before <- main; says when it may
 * come, and that the library is there.
 */
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
	if (write(1, "!", 1) != 1)
		return 1;
	while (!rung)
		;
	spin = (void (*)(void))dlsym(dlopen(arguments[1], RTLD_NOW), "spin");
	if (write(1, "!", 1) == 1)
		spin();
}
