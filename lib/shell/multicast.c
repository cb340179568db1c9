/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/shell/multicast.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IGMP_QUERY 0x11
#define IGMP_AT_ONCE 64
#define IGMP3_QUERY_BYTES 12
#define QQIC_AT 9

static enum bridge_flag flag_of(const char *bridge, const char *name)
{
	char path[128];
	int c = EOF;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge/%s", bridge, name);
	FILE *f = fopen(path, "re");

	if (f) {
		c = fgetc(f);
		fclose(f);
	}
	return c == '1' ? BRIDGE_YES : c == '0' ? BRIDGE_NO : BRIDGE_UNKNOWN;
}

void bridge_look(const char *iface, struct bridge_look *ret)
{
	char path[128], link[256];

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge", iface);
	if (access(path, F_OK) == 0) {
		snprintf(ret->name, sizeof(ret->name), "%.15s", iface);
	} else {
		snprintf(path, sizeof(path), "/sys/class/net/%.15s/brport/bridge", iface);
		ssize_t n = readlink(path, link, sizeof(link) - 1);

		if (n <= 0)
			return;
		link[n] = '\0';
		const char *base = strrchr(link, '/');

		snprintf(ret->name, sizeof(ret->name), "%.15s", base ? base + 1 : link);
	}
	ret->snoops = flag_of(ret->name, "multicast_snooping");
	ret->queries = flag_of(ret->name, "multicast_querier");
}

int igmp_listen(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IGMP);

	return fd < 0 ? -errno : fd;
}

bool igmp_is_query(const uint8_t *packet, size_t len)
{
	size_t head = len > 0 ? (size_t)(packet[0] & 0xf) * 4 : 0;

	return len > head && packet[head] == IGMP_QUERY;
}

uint8_t igmp_query_code(const uint8_t *packet, size_t len)
{
	size_t head = len > 0 ? (size_t)(packet[0] & 0xf) * 4 : 0;

	return len >= head + IGMP3_QUERY_BYTES ? packet[head + QQIC_AT] : 0;
}

bool igmp_query_heard(int fd, uint8_t *ret_code)
{
	uint8_t buf[512];
	bool heard = false;
	ssize_t n;

	/* who sends without end does not keep us: what is left makes the descriptor ready again */
	for (unsigned i = 0; i < IGMP_AT_ONCE && (n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0;
	     i++) {
		if (!igmp_is_query(buf, (size_t)n))
			continue;
		heard = true;
		*ret_code = igmp_query_code(buf, (size_t)n);
	}
	return heard;
}

uint32_t igmp_interval_s(uint8_t code)
{
	/* above 127 a small floating point number */
	return code < 128 ? code : (uint32_t)((code & 0xf) | 0x10) << ((code >> 4 & 7) + 3);
}
