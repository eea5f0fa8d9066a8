/* What demo.pb shows: a shop that answers requests, more and fewer of them in waves.

   Three threads take requests; most look for goods, some pay. The work is what profiles are full
   of: scanning, sorting, text, hashing and system calls. The kernel is called directly, since
   Debian's C library has no frame pointers; README.md tells how demo.pb was made. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { GOODS = 20000, PAGE = 65536, WAVE_SECONDS = 8, RUN_SECONDS = 24 };

static uint32_t prices[GOODS];
static _Thread_local uint64_t state = 1;
static _Thread_local char page[PAGE];
static _Thread_local volatile uint64_t sink;
static const char *role;

static uint32_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)state;
}

static long call_kernel(long number, long first, long second, long third)
{
    long answer;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return answer;
}

static uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return hash;
}

static void sift_down(uint32_t *heap, size_t top, size_t count)
{
    for (size_t child; (child = 2 * top + 1) < count; top = child) {
        if (child + 1 < count && heap[child] < heap[child + 1])
            child++;
        if (heap[top] >= heap[child])
            return;
        uint32_t kept = heap[top];
        heap[top] = heap[child];
        heap[child] = kept;
    }
}

static void sort_by_price(uint32_t *found, size_t count)
{
    for (size_t top = count / 2; top-- > 0;)
        sift_down(found, top, count);
    for (size_t end = count; end-- > 1;) {
        uint32_t highest = found[0];
        found[0] = found[end];
        found[end] = highest;
        sift_down(found, 0, end);
    }
}

static size_t scan_goods(uint32_t *found, uint32_t limit)
{
    size_t count = 0;
    for (size_t i = 0; i < GOODS; i++)
        if (prices[i] < limit)
            found[count++] = prices[i];
    return count;
}

static size_t find_goods(uint32_t *found)
{
    size_t count = scan_goods(found, random_number() >> 4);
    sort_by_price(found, count);
    return count;
}

static void escape_html(size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (page[i] == '<')
            page[i] = '&';
}

static size_t print_price(char *text, uint32_t price)
{
    size_t length = 0;
    for (; price > 0; price /= 10)
        text[length++] = (char)('0' + price % 10);
    return length;
}

static void render_page(const uint32_t *found, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count && length < PAGE - 32; i++) {
        length += print_price(page + length, found[i]);
        page[length++] = '<';
    }
    escape_html(length);
}

static void write_log(void)
{
    long log = call_kernel(SYS_open, (long)"/dev/null", O_WRONLY, 0);
    for (int i = 0; i < 200; i++)
        call_kernel(SYS_write, log, (long)page, 100);
    call_kernel(SYS_close, log, 0, 0);
}

static void read_random(void)
{
    long source = call_kernel(SYS_open, (long)"/dev/urandom", O_RDONLY, 0);
    call_kernel(SYS_read, source, (long)page, PAGE);
    call_kernel(SYS_close, source, 0, 0);
}

static void handle_search(void)
{
    uint32_t found[GOODS];
    render_page(found, find_goods(found));
    write_log();
}

static void verify_card(void)
{
    for (int round = 0; round < 12; round++)
        sink += hash_bytes(page, PAGE / 4);
}

static void handle_payment(void)
{
    read_random();
    verify_card();
    write_log();
}

static void handle_request(void)
{
    if (strcmp(role, "payments") == 0 || random_number() % 8 == 0)
        handle_payment();
    else
        handle_search();
}

/* Between 10 % and 50 % of a CPU, once up and down in WAVE_SECONDS. */
static void wait_for_request(const struct timespec *begun)
{
    struct timespec ended;
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double worked = (ended.tv_sec - begun->tv_sec) + (ended.tv_nsec - begun->tv_nsec) / 1e9;
    double load = 0.3 - 0.2 * cos(2 * M_PI * ended.tv_sec / WAVE_SECONDS);
    struct timespec pause = {0, (long)(worked * (1 - load) / load * 1e9) % 1000000000};
    call_kernel(SYS_nanosleep, (long)&pause, 0, 0);
}

static void *serve(void *number)
{
    char name[16];
    snprintf(name, sizeof name, "%s-%ld", role, (long)(intptr_t)number);
    pthread_setname_np(pthread_self(), name);
    state += (uint64_t)(intptr_t)number * 7919;
    for (;;) {
        struct timespec begun;
        clock_gettime(CLOCK_MONOTONIC, &begun);
        handle_request();
        wait_for_request(&begun);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    role = count > 1 ? arguments[1] : "search";
    for (size_t i = 0; i < GOODS; i++)
        prices[i] = random_number();
    for (intptr_t number = 1; number <= 3; number++) {
        pthread_t thread;
        pthread_create(&thread, NULL, serve, (void *)number);
    }
    alarm(RUN_SECONDS);
    pause();
}
