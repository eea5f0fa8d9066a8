/*
 * Spins in code of its own making that leads nowhere: its frame pointer points to a frame in the
 * stack whose return address lies outside of everything that is mapped. x86-64.
 */
#include <string.h>
#include <sys/mman.h>

/* mov %rdi,%rbp; 1: jmp 1b */
static const unsigned char code[] = {0x48, 0x89, 0xfd, 0xeb, 0xfe};

int main(void)
{
	unsigned long frame[] = {(unsigned long)(frame + 2), 0x1234, 0, 0};
	void *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return 1;
	memcpy(page, code, sizeof(code));
	((void (*)(void *))page)(frame);
	return 0;
}
