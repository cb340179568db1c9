/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lib/shell/file.h - a small file is replaced whole, or not at all. */
#ifndef STOCKADE_SHELL_FILE_H
#define STOCKADE_SHELL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * file_replace() - write a file beside it, rename that over it.
 * @path: readers see the old content or the new
 * @sync: wait until both content and rename are on the disk; else a crash of the kernel may lose the new one
 * Return: 0, or -errno with the old file as it was and nothing left beside it
 */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, bool sync);

#endif
