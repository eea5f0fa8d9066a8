/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bcc's `profile` asks of the kernel's headers beyond those in bpf/bcc-headers. */
#define TASK_COMM_LEN 16
#define PAGE_OFFSET 0xffff800000000000UL
#define roundup_pow_of_two(number) (number) /* of its table of stacks, whose size is one */
