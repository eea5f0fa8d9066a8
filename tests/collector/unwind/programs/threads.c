/* burn <- body <- what the C library starts threads with */
#include <pthread.h>
#include "burn.h"

void *body(void *nothing)
{
	burn();
	CALLED();
	return nothing;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, 0, body, 0);
	pthread_join(thread, 0);
}
