// SPDX-License-Identifier: GPL-3.0-or-later
/* The key of fence_xvm. Who can put another one into its file can play the hypervisor, and say off of a guest that runs (SAFE-3): such
 * a file is not used. Who can only read it is told of, as with the stock client: many a key lies about so, and fences.
 */
#include "xvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL: it may be used. Asked of the open file: what is at the path may be another one by now. */
static const char *unfit(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "is no regular file: put the key into one";
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return "belongs to another user, who could change it: chown root";
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return "can be changed by others: chmod 0600";
	return NULL;
}

int xvm_key_read(struct agent *a, const char *path, uint8_t *key, size_t size, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */
	struct stat st;
	size_t len = 0;

	if (fd < 0)
		return agent_error(
			a, errno,
			"key_file %.200s: %s: copy the hypervisor's key here (stockade key "
			"push), or make one (stockade key new)",
			path, strerror(errno));
	const char *why = unfit(fd);

	while (!why && len < size) {
		ssize_t n = read(fd, key + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			why = strerror(errno);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (!why && fstat(fd, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)))
		agent_warn(a, "key_file %.200s can be read by others: chmod 0600", path);
	close(fd);
	if (why)
		return agent_error(a, EPERM, "key_file %.200s %s", path, why);
	if (len == 0)
		return agent_error(a, EINVAL,
				   "key_file %.200s is empty: copy the hypervisor's key here "
				   "(stockade key push)",
				   path);
	*ret_len = len;
	return 0;
}
