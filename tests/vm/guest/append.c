/* SPDX-License-Identifier: GPL-3.0-or-later */
/* append.c - CGI program that appends one record to the shared volume and answers only when it is on the disk.
 *
 * QUERY_STRING is the record (a number). The file is made when the volume is, and never here: without the
 * volume under it, an open must fail rather than write to the guest's own disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORDS "/var/www/html/records.txt"

static int fail(const char *what)
{
	printf("Status: 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\n%s: %s\n", what,
	       strerror(errno));
	return 0;
}

int main(void)
{
	const char *record = getenv("QUERY_STRING");
	char host[64] = "", line[128];
	int fd, len;

	gethostname(host, sizeof(host) - 1);
	if (!record || !*record || strspn(record, "0123456789") != strlen(record) ||
	    strlen(record) > 20) {
		printf("Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nwanted: ?NUMBER\n");
		return 0;
	}
	len = snprintf(line, sizeof(line), "%s %s\n", record, host);
	fd = open(RECORDS, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return fail("open");
	if (write(fd, line, (size_t)len) != len)
		return fail("write");
	if (fsync(fd) < 0)
		return fail("fsync");
	if (close(fd) < 0)
		return fail("close");
	printf("Content-Type: text/plain\r\n\r\nok %s", line);
	return 0;
}
