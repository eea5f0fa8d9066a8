/* A library for late.c. */
volatile unsigned long turns;

void spin(void)
{
	for (;;)
		turns++;
}
