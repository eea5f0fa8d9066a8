/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The unit in which bcc's BPF_RINGBUF_OUTPUT counts; the machine's own page may be larger. */
#define PAGE_SIZE 4096
