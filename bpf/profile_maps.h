/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of profile.h and how libbpf's programs reach them, as sample.h asks for it. Sizes are
 * defaults that the loader overrides before loading; collector/kernel/program.py gives the reasons.
 */
#ifndef PROFILE_MAPS_H
#define PROFILE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "profile.h"

/* The loader's word is a constant to the verifier, which removes the code that it rules out. */
const volatile struct settings settings = {.use_ring = 1, .period = 1};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct count_key);
	__type(value, struct count);
} counts_0 SEC(".maps"), counts_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SETS);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} active SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

/* Grows with each drain; its lowest bit is the set. */
static __always_inline __u32 active_drain(void)
{
	__u32 zero = 0, *drain = bpf_map_lookup_elem(&active, &zero);

	return drain ? *drain : 0;
}

static __always_inline __u32 active_set(void)
{
	return active_drain() & 1;
}

static __always_inline struct counters *counters_of(__u32 set)
{
	return bpf_map_lookup_elem(&counters, &set);
}

static __always_inline struct count *find_count(__u32 set, struct count_key *key)
{
	if (set)
		return bpf_map_lookup_elem(&counts_1, key);
	return bpf_map_lookup_elem(&counts_0, key);
}

static __always_inline long insert_count(__u32 set, struct count_key *key, struct count *count)
{
	if (set)
		return bpf_map_update_elem(&counts_1, key, count, BPF_NOEXIST);
	return bpf_map_update_elem(&counts_0, key, count, BPF_NOEXIST);
}

static __always_inline long delete_count(__u32 set, struct count_key *key)
{
	if (set)
		return bpf_map_delete_elem(&counts_1, key);
	return bpf_map_delete_elem(&counts_0, key);
}

static __always_inline int has_ring(void)
{
	return settings.use_ring;
}

static __always_inline struct raw_sample *reserve_raw(void)
{
	return bpf_ringbuf_reserve(&ring, RAW_WALKED_SIZE, 0);
}

/*
 * Whether more than a part of the ring is unread. Records wait for the drain; a wakeup for each would
 * cost the collector more than all else that it does.
 */
static __always_inline int ring_is_filled_to(__u64 percent)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) * 100 >
	       bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) * percent;
}

static __always_inline __u64 ring_wakeup(void)
{
	return ring_is_filled_to(25) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void submit_raw(struct raw_sample *raw)
{
	bpf_ringbuf_submit(raw, ring_wakeup());
}

#endif
