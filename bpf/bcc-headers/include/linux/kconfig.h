/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bcc takes the tree that holds this file for the kernel's and includes it before everything. */
#define CONFIG_BPF_SYSCALL 1
