/*
 * burn <- code without a file, which keeps a frame pointer <- caller <- main; with an argument the
 * code is in a memfd, as where a compiler writes it through one mapping and runs it in another.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
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

int main(int count, char **arguments)
{
	int file = count > 1 ? memfd_create(arguments[1], 0) : -1;
	void *page;

	if (file >= 0 && ftruncate(file, 4096))
		return 1;
	page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, file, 0);
	memcpy(page, code, sizeof(code));
	caller((void (*)(void (*)(void)))page);
	CALLED();
}
