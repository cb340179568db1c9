/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gathering for stockade init: options taken apart, and questions. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"
#include "tools/init.h"

/* The part of @text before any of @stops, into @buf; what follows the stop, NULL at the end; *stop is the one met. */
static const char *take(const char *text, const char *stops, char *buf, size_t size, char *stop)
{
	size_t len = strcspn(text, stops);

	snprintf(buf, size, "%.*s", (int)len, text);
	*stop = text[len];
	return text[len] ? text + len + 1 : NULL;
}

static void append(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void append(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + len, size - len, fmt, ap);
	va_end(ap);
}

static bool wrong(const char *option, const char *text, const char *expected)
{
	usage_error("%s %s: expected %s", option, text, expected);
	return false;
}

static bool full(const char *what)
{
	usage_error("too many %s", what);
	return false;
}

bool init_node(struct init *in, const char *text)
{
	char stop, links[2 * CONFIG_NAME_MAX];
	const char *rest;
	unsigned n = in->n_nodes;

	if (n == NODES_MAX)
		return full("nodes");
	rest = take(text, "=", in->node[n].name, CONFIG_NAME_MAX, &stop);
	if (!rest || !*rest)
		return wrong("--node", text, "NAME=ADDRESS or NAME=ADDRESS,ADDRESS");
	snprintf(links, sizeof(links), "%s", rest);
	rest = take(links, ",", in->node[n].link[0], CONFIG_NAME_MAX, &stop);
	snprintf(in->node[n].link[1], CONFIG_NAME_MAX, "%s", rest ? rest : "");
	in->n_nodes++;
	return true;
}

bool init_device(struct init *in, const char *text)
{
	char key[CONFIG_NAME_MAX], value[CONFIG_PATH_MAX], stop;
	const char *rest;
	unsigned n = in->n_devices;

	if (n == CONFIG_DEVICES_MAX)
		return full("fence devices");
	rest = take(text, "=", in->device[n].name, CONFIG_NAME_MAX, &stop);
	if (!rest || !*rest)
		return wrong("--device", text, "NAME=AGENT or NAME=AGENT,KEY=VALUE,...");
	rest = take(rest, ",", value, sizeof(value), &stop);
	snprintf(in->device[n].params, INIT_TEXT_MAX, "agent: \"%s\"", value);
	while (rest) {
		rest = take(rest, "=", key, sizeof(key), &stop);
		if (!rest)
			return wrong("--device", text, "NAME=AGENT,KEY=VALUE,...");
		rest = take(rest, ",", value, sizeof(value), &stop);
		append(in->device[n].params, INIT_TEXT_MAX, ", %s: \"%s\"", key, value);
	}
	in->n_devices++;
	return true;
}

bool init_fence(struct init *in, const char *text)
{
	unsigned n = in->n_uses;
	const char *rest;
	char stop;

	if (n == sizeof(in->use) / sizeof(in->use[0]))
		return full("--fence");
	rest = take(text, "=", in->use[n].node, CONFIG_NAME_MAX, &stop);
	if (!rest || !*rest)
		return wrong("--fence", text, "NODE=DEVICE or NODE=DEVICE:PLUG");
	rest = take(rest, ":", in->use[n].device, CONFIG_NAME_MAX, &stop);
	snprintf(in->use[n].plug, CONFIG_NAME_MAX, "%s", rest ? rest : "");
	in->n_uses++;
	return true;
}

void init_fence_xvm(struct init *in)
{
	char text[2 * CONFIG_NAME_MAX + 8];

	init_device(in, "vm=fence_xvm,key_file=/etc/cluster/fence_xvm.key");
	for (unsigned i = 0; i < in->n_nodes; i++) {
		snprintf(text, sizeof(text), "%s=vm:%s", in->node[i].name, in->node[i].name);
		init_fence(in, text);
	}
}

static bool in_iscsi(const char *key)
{
	return strcmp(key, "portal") == 0 || strcmp(key, "target") == 0 ||
	       strcmp(key, "username") == 0 || strcmp(key, "password_file") == 0;
}

bool init_volume(struct init *in, const char *text)
{
	char key[CONFIG_NAME_MAX], value[CONFIG_PATH_MAX], stop;
	unsigned n = in->n_volumes;
	const char *rest;

	if (n == CONFIG_VOLUMES_MAX)
		return full("volumes");
	rest = take(text, ",", in->volume[n].name, CONFIG_NAME_MAX, &stop);
	if (!rest)
		return wrong(
			"--volume", text,
			"NAME,vg=VG,lv=LV,fs=ext4,mount=DIR and for iSCSI portal=ADDRESS,target=IQN");
	while (rest) {
		rest = take(rest, "=", key, sizeof(key), &stop);
		if (!rest)
			return wrong("--volume", text, "NAME,KEY=VALUE,...");
		rest = take(rest, ",", value, sizeof(value), &stop);
		if (in_iscsi(key))
			append(in->volume[n].iscsi, INIT_TEXT_MAX, "%s%s: \"%s\"",
			       in->volume[n].iscsi[0] ? ", " : "", key, value);
		else
			append(in->volume[n].rest, INIT_TEXT_MAX, "    %s: %s\n", key, value);
	}
	in->n_volumes++;
	return true;
}

bool init_service(struct init *in, const char *text)
{
	char key[CONFIG_NAME_MAX], value[CONFIG_PATH_MAX], stop;
	unsigned n = in->n_services;
	const char *rest;

	if (n == CONFIG_SERVICES_MAX)
		return full("services");
	rest = take(text, ",", in->service[n].name, CONFIG_NAME_MAX, &stop);
	if (!rest)
		return wrong("--service", text,
			     "NAME,volume=NAME,unit=NAME,ip=ADDRESS/PREFIX in the order to start");
	while (rest) {
		rest = take(rest, "=", key, sizeof(key), &stop);
		if (!rest)
			return wrong("--service", text, "NAME,TYPE=REFERENCE,...");
		rest = take(rest, ",", value, sizeof(value), &stop);
		append(in->service[n].resources, INIT_TEXT_MAX, "      - %s: \"%s\"\n", key, value);
	}
	in->n_services++;
	return true;
}

/* One answer, or the proposal when only Return is pressed; false: end of input. */
static bool question(const char *text, const char *proposal, char *buf, size_t size)
{
	char line[CONFIG_PATH_MAX];

	printf("%s%s%s%s: ", text, *proposal ? " [" : "", proposal, *proposal ? "]" : "");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\r\n")] = '\0';
	snprintf(buf, size, "%s", line[0] ? line : proposal);
	return true;
}

static bool ask_nodes(struct init *in)
{
	char name[CONFIG_NAME_MAX], address[CONFIG_NAME_MAX], text[2 * CONFIG_NAME_MAX + 2],
		prompt[128];

	puts("\nThe machines, by their host names; Return alone ends the list.");
	while (in->n_nodes < NODES_MAX) {
		snprintf(prompt, sizeof(prompt), "Node %u, name", in->n_nodes + 1);
		if (!question(prompt, "", name, sizeof(name)))
			return false;
		if (!name[0] && in->n_nodes >= 2)
			return true;
		if (!name[0]) {
			puts("A cluster has two nodes or more.");
			continue;
		}
		snprintf(prompt, sizeof(prompt), "Node %u, its address on the cluster's network",
			 in->n_nodes + 1);
		if (!question(prompt, "", address, sizeof(address)))
			return false;
		snprintf(text, sizeof(text), "%s=%s", name, address);
		init_node(in, text);
	}
	return true;
}

static bool ask_bmc(struct init *in)
{
	char address[CONFIG_NAME_MAX], user[CONFIG_NAME_MAX], prompt[160], text[512];

	if (!question("User name at the management controllers", "fence", user, sizeof(user)))
		return false;
	for (unsigned i = 0; i < in->n_nodes; i++) {
		const char *name = in->node[i].name;

		snprintf(prompt, sizeof(prompt), "Address of the management controller of %s",
			 name);
		if (!question(prompt, "", address, sizeof(address)))
			return false;
		snprintf(
			text, sizeof(text),
			"bmc-%s=fence_ipmilan,ip=%s,lanplus=1,username=%s,password_file=/etc/stockade/bmc-%s.secret",
			name, address, user, name);
		init_device(in, text);
		snprintf(text, sizeof(text), "%s=bmc-%s", name, name);
		init_fence(in, text);
	}
	return true;
}

static bool ask_fencing(struct init *in)
{
	char answer[CONFIG_NAME_MAX];

	puts("\nHow is a node switched off by the others?\n"
	     "  1  they are virtual machines; fence_virtd runs on the host (fence_xvm)\n"
	     "  2  each has a management controller that speaks IPMI (fence_ipmilan)");
	for (;;) {
		if (!question("1 or 2", "1", answer, sizeof(answer)))
			return false;
		if (strcmp(answer, "1") == 0) {
			init_fence_xvm(in);
			puts("The guests' names on the host must be the nodes' names.");
			if (!question("Make a new key for fence_virtd? (y/n)", "y", answer,
				      sizeof(answer)))
				return false;
			in->xvm_key = answer[0] == 'y' || answer[0] == 'Y';
			return true;
		}
		if (strcmp(answer, "2") == 0)
			return ask_bmc(in);
	}
}

static bool ask_volume(struct init *in)
{
	char name[CONFIG_NAME_MAX], portal[CONFIG_NAME_MAX], target[CONFIG_PATH_MAX],
		text[2 * CONFIG_PATH_MAX + 512];
	char vg[CONFIG_NAME_MAX], lv[CONFIG_NAME_MAX], fs[CONFIG_NAME_MAX], mount[CONFIG_PATH_MAX],
		unit[CONFIG_NAME_MAX];
	char ip[CONFIG_NAME_MAX];

	puts("\nThe first service: a filesystem on a shared disk, a systemd unit, an address. Return alone leaves it out;\n"
	     "more can be written into the file later.");
	if (!question("Name of the service", "", name, sizeof(name)))
		return false;
	if (!name[0])
		return true;
	if (!question("iSCSI portal (address of the storage; Return: a local or SAN disk)", "",
		      portal, sizeof(portal)))
		return false;
	target[0] = '\0';
	if (portal[0] && !question("iSCSI target (iqn...)", "", target, sizeof(target)))
		return false;
	if (!question("LVM volume group", "", vg, sizeof(vg)) ||
	    !question("Logical volume", "lv0", lv, sizeof(lv)) ||
	    !question("Filesystem, ext4 or xfs", "ext4", fs, sizeof(fs)) ||
	    !question("Mount point", "", mount, sizeof(mount)) ||
	    !question("systemd unit", "apache2", unit, sizeof(unit)) ||
	    !question("Address of the service, ADDRESS/PREFIX", "", ip, sizeof(ip)))
		return false;
	snprintf(text, sizeof(text), "%s-data,%s%s%s%s%svg=%s,lv=%s,fs=%s,mount=%s", name,
		 portal[0] ? "portal=" : "", portal, portal[0] ? ",target=" : "", target,
		 portal[0] ? "," : "", vg, lv, fs, mount);
	init_volume(in, text);
	snprintf(text, sizeof(text), "%s,volume=%s-data%s%s%s%s", name, name,
		 unit[0] ? ",unit=" : "", unit, ip[0] ? ",ip=" : "", ip);
	init_service(in, text);
	return true;
}

bool init_ask(struct init *in)
{
	if (!in->cluster[0] &&
	    !question("Name of the cluster", "cluster", in->cluster, sizeof(in->cluster)))
		return false;
	if (!in->detect[0] && !question("How long may a dead node go unnoticed", "3s", in->detect,
					sizeof(in->detect)))
		return false;
	if (!in->n_nodes && !ask_nodes(in))
		return false;
	if (!in->n_devices && !ask_fencing(in))
		return false;
	return in->n_services || ask_volume(in);
}
