/*
 * Takes as many steps as there are letters below, each as long as the others, until it is killed.
 * With -DSLOW=f, the function step_f takes four times as long. How long a round is changes, so that
 * no sampling period can keep step with it.
 */
#define SPIN(turns)                                          \
	for (unsigned long i = 0, x = 1; i < (turns); i++) { \
		x = x * 3 + i;                               \
		__asm__ volatile("" : "+r"(x));              \
	}

#define STEP(letter)                                                                        \
	__attribute__((noinline, aligned(64))) void step_##letter(unsigned long turns)      \
	{                                                                                   \
		SPIN(#letter[0] == SLOW ? 4 * turns : turns);                               \
	}

#define STEPS DO(a) DO(b) DO(c) DO(d) DO(e) DO(f) DO(g) DO(h) DO(i) DO(j) DO(k) DO(l)

#define DO(letter) STEP(letter)
STEPS
#undef DO

int main(void)
{
	unsigned long random = 1;

	for (;;) {
		random = random * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
		unsigned long turns = 20000 + (random >> 33) % 40000;
#define DO(letter) step_##letter(turns);
		STEPS
	}
}
