/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bcc stamps it on the program; the kernel compares it for kprobe programs only, before 5.0. */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(4, 9, 0)
