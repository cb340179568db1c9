// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_xvm - asks the hypervisor's fence_virtd to switch a guest. Wire and options of the stock client 4.x; see xvm.h.
 *
 * All of fence_xvm and fence_virt in one: what is given chooses the way. A key that is missing is an error, not a
 * reason to go on without one.
 */
#include "xvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const families[] = { "auto", "ipv4", "ipv6", NULL };
static const char *const hashes[] = { "none", "sha1", "sha256", "sha512", NULL };

static const struct agent_param params[] = {
	{ .name = "plug",
	  .alias = { { .name = "port", .letter = 'H' }, { .name = "domain", .hidden = true } },
	  .letter = 'n',
	  .arg = "guest",
	  .required = true,
	  .text = "Name or uuid of the guest" },
	{ .name = "use_uuid",
	  .type = AGENT_BOOLEAN,
	  .letter = 'u',
	  .value = "0",
	  .text = "The guest is given by uuid (fence_virtd finds out by itself)" },
	{ .name = "ip_family",
	  .type = AGENT_SELECT,
	  .letter = 'i',
	  .arg = "family",
	  .value = "auto",
	  .select = families,
	  .text = "Address family" },
	{ .name = "multicast_address",
	  .letter = 'a',
	  .arg = "address",
	  .text = "Multicast group; 225.0.0.12 or ff05::3:1 by family" },
	{ .name = "ipport",
	  .type = AGENT_INTEGER,
	  .letter = 'p',
	  .arg = "port",
	  .value = "1229",
	  .min = 1,
	  .max = 65535,
	  .text = "UDP port of the group, TCP port of the call-back, or TCP or vsock port of the daemon" },
	{ .name = "hypervisors",
	  .arg = "address,...",
	  .text = "Hypervisors in the group: each has to answer before a guest is off" },
	{ .name = "ip",
	  .alias = { { .name = "ipaddr" } },
	  .letter = 'T',
	  .arg = "address,...",
	  .text = "Hypervisors to connect to by TCP, all of them asked, instead of multicast" },
	{ .name = "vsock",
	  .letter = 'S',
	  .arg = "cid",
	  .bare = "2",
	  .text = "Connect by vsock instead, to the host (2) or another CID" },
	{ .name = "serial_device",
	  .letter = 'D',
	  .arg = "path",
	  .text = "Ask over this serial line instead" },
	{ .name = "serial_params",
	  .letter = 'P',
	  .arg = "params",
	  .value = "115200,8N1",
	  .text = "Speed and frame of the serial line" },
	{ .name = "channel_address",
	  .letter = 'A',
	  .arg = "address",
	  .text = "Ask over the virtio channel at this address (10.0.2.179) instead" },
	{ .name = "hash",
	  .type = AGENT_SELECT,
	  .letter = 'c',
	  .arg = "hash",
	  .value = "sha256",
	  .select = hashes,
	  .text = "Digest of requests" },
	{ .name = "auth",
	  .type = AGENT_SELECT,
	  .letter = 'C',
	  .arg = "auth",
	  .value = "sha256",
	  .select = hashes,
	  .text = "Digest by which both sides prove their key" },
	{ .name = "key_file",
	  .letter = 'k',
	  .arg = "path",
	  .value = VIRT_KEY_FILE,
	  .text = "Key shared with the hypervisor" },
	{ .name = "timeout",
	  .type = AGENT_SECOND,
	  .letter = 't',
	  .value = "30",
	  .min = 1,
	  .max = 86400,
	  .text = "Wait this long for answers" },
	{ .name = "retrans",
	  .type = AGENT_INTEGER,
	  .letter = 'r',
	  .arg = "tenths",
	  .value = "20",
	  .min = 1,
	  .max = 36000,
	  .text = "Longest pause between two requests, in tenths of a second" },
	{ .name = "delay",
	  .type = AGENT_SECOND,
	  .letter = 'w',
	  .value = "0",
	  .text = "Wait this long before off and reboot" },
	{ .name = "verbose",
	  .alias = { { .name = "debug", .letter = 'd' }, { .name = "verbose_level" } },
	  .type = AGENT_LEVEL,
	  .letter = 'v',
	  .bare = "",
	  .value = "0",
	  .text = "Say on stderr what is done" },
	/* The stock client takes a name whole, commas and all: half of one may be another guest's. */
	{ .name = "plug_separator",
	  .arg = "char",
	  .text = "What is between several guests; none unless given, as a guest's name may have it" },
	{ 0 },
};

static const struct agent_action actions[] = {
	{ .name = "null", .needs_plug = true, .run = xvm_null },
	{ 0 },
};

struct xvm *xvm_of(struct agent *a)
{
	return agent_state(a);
}

static int split_hosts(struct agent *a, const char *name)
{
	struct xvm *x = xvm_of(a);
	char text[XVM_HOSTS_MAX * XVM_PEER_MAX], *save = NULL;

	if ((size_t)snprintf(text, sizeof(text), "%s", agent_get(a, name)) >= sizeof(text))
		return agent_error(a, E2BIG, "%s is too long", name);
	for (char *h = strtok_r(text, ", \t", &save); h; h = strtok_r(NULL, ", \t", &save)) {
		if (x->n_hosts == XVM_HOSTS_MAX || strlen(h) >= XVM_PEER_MAX)
			return agent_error(a, E2BIG,
					   "%s: more than %d hypervisors, or a name too long", name,
					   XVM_HOSTS_MAX);
		if (x->way != XVM_VSOCK && !net_is_address(h))
			return agent_error(a, EINVAL,
					   "%s: %.60s is no address (names are not looked up)",
					   name, h);
		strcpy(x->host[x->n_hosts++], h);
	}
	return x->n_hosts > 0 ? 0 : agent_error(a, EINVAL, "%s names nobody", name);
}

static int choose_way(struct agent *a)
{
	static const struct {
		const char *name;
		enum xvm_way way;
	} ways[] = { { "ip", XVM_TCP },
		     { "vsock", XVM_VSOCK },
		     { "serial_device", XVM_SERIAL },
		     { "channel_address", XVM_CHANNEL },
		     { "multicast_address", XVM_MULTICAST },
		     { "hypervisors", XVM_MULTICAST } };
	struct xvm *x = xvm_of(a);
	const char *chosen = NULL;

	x->way = XVM_MULTICAST;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (!agent_given(a, ways[i].name))
			continue;
		if (chosen && x->way != ways[i].way)
			return agent_error(a, EINVAL, "%s and %s are two ways: give one", chosen,
					   ways[i].name);
		chosen = ways[i].name;
		x->way = ways[i].way;
	}
	x->n_hosts = 0;
	if (x->way == XVM_TCP || x->way == XVM_VSOCK)
		return split_hosts(a, x->way == XVM_TCP ? "ip" : "vsock");
	return x->way == XVM_MULTICAST && agent_given(a, "hypervisors")
		       ? split_hosts(a, "hypervisors")
		       : 0;
}

static int validate(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	const char *plug = agent_get(a, "plug");

	x->listener[0] = x->listener[1] = x->probe.fd = -1;
	virt_hash_parse(agent_get(a, "hash"), &x->hash);
	virt_hash_parse(agent_get(a, "auth"), &x->auth);
	x->port = (uint16_t)agent_number(a, "ipport");
	x->retrans_ms = agent_number(a, "retrans") * 100L;
	if (plug && strlen(plug) > VIRT_DOMAIN_MAX)
		return agent_error(a, ENAMETOOLONG,
				   "plug has more than %d bytes: use the guest's uuid",
				   VIRT_DOMAIN_MAX);
	int r = choose_way(a);

	return r == 0 && x->way == XVM_MULTICAST ? net_resolve(a) : r;
}

static int read_key(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	const char *path = agent_get(a, "key_file");
	bool needed = x->way != XVM_SERIAL && x->way != XVM_CHANNEL &&
		      (x->hash != VIRT_HASH_NONE || x->auth != VIRT_HASH_NONE);

	return needed ? xvm_key_read(a, path, x->key, sizeof(x->key), &x->key_len) : 0;
}

static int xvm_open(struct agent *a)
{
	struct xvm *x = xvm_of(a);
	int r = read_key(a);

	if (r < 0)
		return r;
	x->talk = calloc(XVM_TALKS_MAX, sizeof(*x->talk));
	if (!x->talk)
		return agent_error(a, ENOMEM, "out of memory");
	x->end_ms = agent_deadline_ms(a, "timeout");
	return x->way == XVM_MULTICAST ? net_listen(a) : 0;
}

static void xvm_close(struct agent *a)
{
	struct xvm *x = xvm_of(a);

	if (x->talk)
		xvm_forget(x);
	net_close(a);
	free(x->talk);
	free(x->sent[0]);
	free(x->sent[1]);
	x->talk = NULL;
	x->sent[0] = x->sent[1] = NULL;
	explicit_bzero(x->key, sizeof(x->key));
}

static const struct agent_def def = {
	.name = "fence_xvm",
	.short_text = "Fence agent for virtual machines, by the hypervisor's fence_virtd",
	.text = "fence_xvm asks the fence_virtd of the hypervisor to switch a guest off or on, by multicast, TCP, "
		"vsock, a serial line or a virtio channel. It speaks with the stock fence_virtd and with Stockade's "
		"own, whose answers are sealed.\n\n"
		"A guest is off only when a hypervisor that knows it says so: the stock daemon calls a guest that "
		"it does not know off, so its list is asked as well. Where a guest may run on one of several "
		"hypervisors, name them all.",
	.param = params,
	.action = actions,
	.common = AGENT_HAS_PLUG,
	.flags = AGENT_ALWAYS,
	.state_bytes = sizeof(struct xvm),
	.validate = validate,
	.open = xvm_open,
	.close = xvm_close,
	.status = xvm_status,
	.set = xvm_set,
	.list = xvm_list,
};

int main(int argc, char **argv)
{
	return agent_main(&def, argc, argv);
}
