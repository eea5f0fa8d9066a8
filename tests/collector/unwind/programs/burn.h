/* Every program comes to rest in burn(), so that all of its samples have one known stack. */
#ifndef BURN_H
#define BURN_H

#ifdef __cplusplus
extern "C"
#endif
__attribute__((noinline, noclone, used)) void burn(void);

void burn(void)
{
	/* In effect for ever, but the compiler must not know: it leaves out what would follow. */
	for (volatile unsigned long turn = 1; turn; turn++)
		;
}

/* Keeps a call from becoming a jump, so that its caller stays on the stack. */
#define CALLED() __asm__ volatile("" ::: "memory")

#endif
