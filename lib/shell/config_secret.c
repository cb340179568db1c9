/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets live in files of their own, which only their owner may touch. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_parse.h"

bool is_secret_key(const char *key)
{
	static const char *const ends[] = { "passwd",    "password",   "passphrase",
					    "secret",    "secret_key", "token",
					    "community", "auth_key",   "priv_key" };
	size_t len = strlen(key);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(ends[i]);

		if (len >= n && strcmp(key + len - n, ends[i]) == 0 &&
		    (len == n || key[len - n - 1] == '_'))
			return true;
	}
	return false;
}

/* What speaks against this file: an errno, and the remedy in @why. */
static int unfit(const char *path, const struct stat *st, char *why, size_t why_len)
{
	if (!S_ISREG(st->st_mode)) {
		snprintf(why, why_len, "%s is not a regular file; put the secret into one", path);
		return EINVAL;
	}
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(why, why_len, "%s belongs to user %u; run: chown root %s", path,
			 st->st_uid, path);
		return EPERM;
	}
	if (st->st_mode & 077) {
		snprintf(why, why_len, "%s may be touched by others (mode %04o); run: chmod 600 %s",
			 path, st->st_mode & 07777, path);
		return EPERM;
	}
	return 0;
}

int config_secret_read(const char *path, char *buf, size_t len, char *why, size_t why_len)
{
	struct stat st;
	ssize_t n = 0;
	int fd, error;

	buf[0] = '\0';
	/* O_NONBLOCK: a FIFO must not hold us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		error = errno;
		if (error == ELOOP)
			snprintf(why, why_len,
				 "%s is a symbolic link; put the secret into a regular file", path);
		else
			snprintf(why, why_len, "%s cannot be opened: %s%s", path, strerror(error),
				 error == ENOENT ? "; write the secret into it, mode 0600" : "");
		return -error;
	}
	error = fstat(fd, &st) == 0 ? unfit(path, &st, why, why_len) : errno;
	if (!error) {
		n = read(fd, buf, len);
		if (n < 0) {
			error = errno;
			snprintf(why, why_len, "%s cannot be read: %s", path, strerror(error));
		}
	}
	close(fd);
	if (!error) {
		while (n > 0 && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
			n--;
		if ((size_t)n == len) {
			error = E2BIG;
			snprintf(why, why_len,
				 "%s holds more than the %zu bytes that a secret may have", path,
				 len - 1);
		} else if (n == 0) {
			error = ENODATA;
			snprintf(why, why_len, "%s is empty; write the secret into it", path);
		} else if (memchr(buf, '\n', (size_t)n) || memchr(buf, '\0', (size_t)n)) {
			error = EINVAL;
			snprintf(why, why_len, "%s must hold one line, the secret", path);
		}
	}
	if (error) {
		explicit_bzero(buf, len);
		return -error;
	}
	buf[n] = '\0';
	return 0;
}
