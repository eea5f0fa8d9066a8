/* read <- reader <- main, nearly always sampled in the kernel */
#include <fcntl.h>
#include <unistd.h>

static char room[1 << 20];

__attribute__((noinline, noclone)) long reader(int file)
{
	long sum = 0;

	for (;;)
		sum += read(file, room, sizeof(room));
	return sum;
}

int main(void)
{
	return reader(open("/dev/zero", O_RDONLY));
}
