/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses as people write them. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

static bool number(const char *s, int max, int *ret)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)*s) || strlen(s) > 5)
		return false;
	v = strtol(s, &end, 10);
	if (*end || v > max)
		return false;
	*ret = (int)v;
	return true;
}

bool address_parse(const char *text, struct address *ret)
{
	struct address a = { .prefix = -1 };
	char host[CONFIG_PATH_MAX];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, host, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return false;
	if (slash && !number(slash + 1, a.family == AF_INET ? 32 : 128, &a.prefix))
		return false;
	*ret = a;
	return true;
}

bool address_port_parse(const char *text, struct address *ret)
{
	char host[CONFIG_PATH_MAX];
	const char *port = NULL, *colon = strchr(text, ':'), *close = strchr(text, ']');
	size_t len = strlen(text);
	struct address a;
	int n = 0;

	if (*text == '[') { /* an IPv6 address, its own colons set apart from the port's */
		if (!close || !colon || colon > close || (close[1] && close[1] != ':'))
			return false;
		len = (size_t)(close - ++text);
		port = close[1] ? close + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		len = (size_t)(colon - text);
		port = colon + 1;
	}
	if (len >= sizeof(host) || memchr(text, '/', len))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!address_parse(host, &a) || (port && (!number(port, 65535, &n) || n == 0)))
		return false;
	a.port = n;
	*ret = a;
	return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool address_usable(const struct address *a, const char **why)
{
	static const uint8_t zero[16];

	if (memcmp(a->bytes, zero, sizeof(zero)) == 0)
		*why = "the unspecified address";
	else if (a->family == AF_INET ? (a->bytes[0] & 0xf0) == 0xe0 : a->bytes[0] == 0xff)
		*why = "a multicast address";
	else if (a->family == AF_INET && memcmp(a->bytes, "\xff\xff\xff\xff", 4) == 0)
		*why = "the broadcast address";
	else
		return true;
	return false;
}

bool looks_like_address(const char *text)
{
	return strchr(text, ':') || text[strspn(text, "0123456789./")] == '\0';
}
