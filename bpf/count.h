/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stacks and counts, whoever takes them. find_count() and insert_count() are those of sample.h. */
#ifndef COUNT_H
#define COUNT_H

#define STACK_SIZE (MAX_DEPTH * sizeof(__u64))
#define ERROR_FAULT (-14) /* -EFAULT of a stack helper: there is no stack of this kind */

static __always_inline int stack_is_lost(int id)
{
	return id < 0 && id != ERROR_FAULT;
}

/* Adds a sample to the count of a key; 0 where there is no room for it. */
static __always_inline int add_to_count(__u32 set, struct count_key *key, __u64 value)
{
	struct count *count = find_count(set, key), first = {1, value};

	if (!count) {
		if (insert_count(set, key, &first) == 0)
			return 1;
		/* No room, or a thread of the same name on another CPU was first. */
		count = find_count(set, key);
		if (!count)
			return 0;
	}
	__sync_fetch_and_add(&count->samples, 1);
	if (value)
		__sync_fetch_and_add(&count->value, value);
	return 1;
}

#endif
