/* burn <- code without a file, which keeps a frame pointer <- caller <- main */
#include <string.h>
#include <sys/mman.h>
#include "burn.h"

static const unsigned char code[] = {
	0x55,		  /* push %rbp */
	0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
	0xff, 0xd7,	  /* call *%rdi */
	0x5d,		  /* pop %rbp */
	0xc3,		  /* ret */
};

__attribute__((noinline, noclone)) void caller(void (*jit)(void (*)(void)))
{
	jit(burn);
	CALLED();
}

int main(void)
{
	void *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page, code, sizeof(code));
	caller((void (*)(void (*)(void)))page);
	CALLED();
}
