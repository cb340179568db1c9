/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this machine must have: agents and their secrets, programs, mount points, units. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/check.h"
#include "tools/cli.h"
#include "tools/key.h"

#define AGENT_MS 20000 /* Python agents start slowly on a small machine */

static bool find_program(const char *name, char *path, size_t size)
{
	static const char *const dirs[] = {
		STOCKADE_LIBEXECDIR "/agents", "/usr/sbin",     "/usr/bin", "/sbin", "/bin",
		STOCKADE_LIBEXECDIR,           STOCKADE_SBINDIR
	};

	if (name[0] == '/') {
		snprintf(path, size, "%s", name);
		return access(path, X_OK) == 0;
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, size, "%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Is <@element name="@name" in this metadata? The agent API fixes the form (SAFE-9: nothing is decided by it). */
static bool metadata_has(const char *xml, const char *element, const char *name)
{
	char start[64];
	size_t len = strlen(name);

	snprintf(start, sizeof(start), "<%s ", element);
	for (const char *p = strstr(xml, start); p; p = strstr(p + 1, start)) {
		const char *end = strchr(p, '>'), *at = strstr(p, "name=");

		if (!end || !at || at > end)
			continue;
		at += strlen("name=") + 1;
		if (strncmp(at, name, len) == 0 && (at[len] == '"' || at[len] == '\''))
			return true;
	}
	return false;
}

static void check_metadata(struct check *c, const struct config_device *d, const char *xml)
{
	unsigned before = c->n_errors + c->n_warnings;

	if (!strstr(xml, "<resource-agent") || !metadata_has(xml, "action", "off") ||
	    !metadata_has(xml, "action", "status")) {
		finding(c, FIND_ERROR,
			"use another agent: without a status that can be read back there is no proof",
			"fence device %s: %s cannot both switch off and tell the status", d->name,
			d->agent);
		return;
	}
	for (unsigned i = 0; i < d->n_params; i++) {
		char key[CONFIG_NAME_MAX];

		/* Agents name a parameter with either sign. */
		snprintf(key, sizeof(key), "%s", d->param[i].key);
		if (metadata_has(xml, "parameter", key))
			continue;
		for (char *p = key; *p; p++)
			*p = *p == '_' ? '-' : *p == '-' ? '_' : *p;
		if (!metadata_has(xml, "parameter", key))
			finding(c, FIND_WARNING,
				"run the agent with -o metadata: it lists what it takes",
				"fence device %s: %s does not know the parameter \"%s\"", d->name,
				d->agent, d->param[i].key);
	}
	if (c->n_errors + c->n_warnings == before)
		finding(c, FIND_OK, NULL,
			"fence device %s: %s can switch off and tell the status, and knows its parameters",
			d->name, d->agent);
}

/* The key that a hypervisor shares: not only its mode. */
static void check_key(struct check *c, const struct config_device *d, const char *path)
{
	static struct key_file f;
	struct key_warnings w;
	char why[KEY_WHY];
	int r = key_file_read(path, &f);

	if (r < 0 || !f.there) {
		finding(c, FIND_ERROR,
			"stockade key new makes one; stockade key push copies it from where it is",
			"fence device %s: %s: %s", d->name, path, strerror(r < 0 ? -r : ENOENT));
		return;
	}
	key_warn(&f, &w);
	for (unsigned i = 0; i < w.n; i++)
		finding(c, w.v[i].bad ? FIND_ERROR : FIND_WARNING, w.v[i].remedy,
			"fence device %s: %s: %s", d->name, path, w.v[i].text);
	if (key_dir_check(path, false, why, sizeof(why)) < 0)
		finding(c, FIND_ERROR, NULL, "fence device %s: %s", d->name, why);
	key_forget(&f.key);
}

static void check_secrets(struct check *c, const struct config_device *d)
{
	for (unsigned i = 0; i < d->n_params; i++) {
		const struct config_param *p = &d->param[i];
		char secret[CONFIG_SECRET_MAX], why[CONFIG_PATH_MAX + 128];
		size_t len = strlen(p->key);
		struct stat st;

		if (p->secret_file) {
			if (config_secret_read(p->value, secret, sizeof(secret), why, sizeof(why)) <
			    0)
				finding(c, FIND_ERROR, NULL, "fence device %s: %s", d->name, why);
			explicit_bzero(secret, sizeof(secret));
			continue;
		}
		if (len < 5 || strcmp(p->key + len - 5, "_file") != 0 || p->value[0] != '/')
			continue;
		if (key_device(d) && strcmp(p->key, "key_file") == 0)
			check_key(c, d, p->value);
		else if (stat(p->value, &st) != 0)
			finding(c, FIND_ERROR, "make it, or copy it from where the device has it",
				"fence device %s: %s: %s", d->name, p->value, strerror(errno));
		else if (st.st_mode & 077)
			finding(c, FIND_ERROR, "make it private to root, mode 0600",
				"fence device %s: %s may be touched by others (mode %04o)", d->name,
				p->value, st.st_mode & 07777);
	}
}

void check_agents(struct check *c)
{
	for (unsigned i = 0; i < c->cfg->n_devices; i++) {
		const struct config_device *d = &c->cfg->device[i];
		char path[CONFIG_PATH_MAX + 64];
		int status;

		check_secrets(c, d);
		if (!find_program(d->agent, path, sizeof(path))) {
			finding(c, FIND_ERROR,
				"install it; on Debian: packages fence-agents, fence-virt",
				"fence device %s: there is no program %s", d->name, d->agent);
			continue;
		}
		const char *const stdin_api[] = { path, NULL };
		const char *const by_option[] = { path, "-o", "metadata", NULL };
		char *xml = run_program(stdin_api, "action=metadata\n", AGENT_MS, &status);

		if (!xml)
			xml = run_program(by_option, NULL, AGENT_MS, &status);
		if (xml)
			check_metadata(c, d, xml);
		else
			finding(c, FIND_ERROR, "run it by hand with -o metadata",
				"fence device %s: %s does not tell its metadata (exit code %d)",
				d->name, path, status);
		free(xml);
	}
}

static void check_programs(struct check *c)
{
	const struct {
		const char *program, *package, *why;
		bool wanted;
	} * p;
	bool iscsi = false, lvm = false, ext4 = false, xfs = false, unit = false;

	for (unsigned i = 0; i < c->cfg->n_volumes; i++) {
		const struct config_volume *v = &c->cfg->volume[i];

		iscsi |= v->iscsi;
		lvm |= v->vg[0] != '\0';
		ext4 |= v->fs == CONFIG_FS_EXT4;
		xfs |= v->fs == CONFIG_FS_XFS;
	}
	for (unsigned s = 0; s < c->cfg->n_services; s++)
		for (unsigned r = 0; r < c->cfg->service[s].n_resources; r++)
			unit |= c->cfg->service[s].resource[r].type == CONFIG_RES_UNIT;
	const typeof(*p) programs[] = {
		{ "iscsiadm", "open-iscsi", "iSCSI volumes", iscsi },
		{ "lvm", "lvm2", "volumes", lvm },
		{ "e2fsck", "e2fsprogs", "ext4 volumes", ext4 },
		{ "xfs_repair", "xfsprogs", "XFS volumes", xfs },
		{ "systemctl", "systemd", "units", unit },
	};
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		char path[CONFIG_PATH_MAX];

		p = (const void *)&programs[i];
		if (!p->wanted || find_program(p->program, path, sizeof(path)))
			continue;
		char remedy[64];

		snprintf(remedy, sizeof(remedy), "apt-get install %s", p->package);
		finding(c, FIND_ERROR, remedy, "there is no %s, which %s need", p->program, p->why);
	}
}

static bool dir_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = true;
	struct dirent *e;

	while (d && (e = readdir(d)))
		empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	if (d)
		closedir(d);
	return empty;
}

static bool is_mounted(const char *path)
{
	char line[2048], want[CONFIG_PATH_MAX + 4];
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool found = false;

	snprintf(want, sizeof(want), " %s ", path);
	while (f && !found && fgets(line, sizeof(line), f)) {
		char *point = line;

		for (int i = 0; i < 4 && point; i++)
			point = strchr(point + 1, ' ');
		found = point && strncmp(point, want, strlen(want)) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static void check_volume(struct check *c, const struct config_volume *v)
{
	struct stat st;

	if (v->chap_password_file[0]) {
		char secret[CONFIG_SECRET_MAX], why[CONFIG_PATH_MAX + 128];

		if (config_secret_read(v->chap_password_file, secret, sizeof(secret), why,
				       sizeof(why)) < 0)
			finding(c, FIND_ERROR, NULL, "volume %s: %s", v->name, why);
		explicit_bzero(secret, sizeof(secret));
	}
	if (!v->mount[0])
		return;
	if (stat(v->mount, &st) != 0 || !S_ISDIR(st.st_mode))
		finding(c, FIND_ERROR, "make the directory, on every node",
			"volume %s: mount point %s is no directory", v->name, v->mount);
	else if (!is_mounted(v->mount) && !dir_empty(v->mount))
		finding(c, FIND_WARNING,
			"move the files away, so that nobody takes them for those of the volume",
			"volume %s: mount point %s is not empty while nothing is mounted there",
			v->name, v->mount);
}

/* "iqn..." of this node; peers are compared through storaged. */
static void check_initiator(struct check *c)
{
	char line[300];
	bool found = false, wanted = false;
	FILE *f;

	for (unsigned i = 0; i < c->cfg->n_volumes; i++)
		wanted |= c->cfg->volume[i].iscsi;
	if (!wanted)
		return;
	f = fopen("/etc/iscsi/initiatorname.iscsi", "re");
	while (f && fgets(line, sizeof(line), f))
		found |= strncmp(line, "InitiatorName=", 14) == 0 &&
			 isalpha((unsigned char)line[14]);
	if (f)
		fclose(f);
	if (!found)
		finding(c, FIND_ERROR,
			"systemctl restart iscsid makes one; or write InitiatorName=$(iscsi-iname) into it",
			"/etc/iscsi/initiatorname.iscsi holds no initiator name");
}

static void check_unit(struct check *c, const char *unit)
{
	const char *const argv[] = { "systemctl", "show", "--property=LoadState,UnitFileState",
				     "--",        unit,   NULL };
	char remedy[CONFIG_PATH_MAX + 64];
	int status;
	char *out = run_program(argv, NULL, AGENT_MS, &status);

	if (!out) {
		finding(c, FIND_NOTE, NULL, "unit %s was not looked at: systemd does not answer",
			unit);
		return;
	}
	if (strstr(out, "LoadState=not-found")) {
		finding(c, FIND_ERROR, "install what brings it, on every node",
			"there is no unit %s", unit);
	} else if (strstr(out, "LoadState=masked")) {
		snprintf(remedy, sizeof(remedy), "systemctl unmask %s", unit);
		finding(c, FIND_ERROR, remedy, "unit %s is masked: it can never be started", unit);
	} else if (strstr(out, "UnitFileState=enabled\n")) {
		snprintf(remedy, sizeof(remedy), "systemctl disable %s, on every node", unit);
		finding(c, FIND_ERROR, remedy,
			"unit %s is enabled: systemd starts it at boot on every node, without its volume",
			unit);
	} else {
		finding(c, FIND_OK, NULL, "unit %s is there, and left to Stockade", unit);
	}
	free(out);
}

void check_resources(struct check *c)
{
	check_programs(c);
	check_initiator(c);
	for (unsigned i = 0; i < c->cfg->n_volumes; i++)
		check_volume(c, &c->cfg->volume[i]);
	for (unsigned s = 0; s < c->cfg->n_services; s++)
		for (unsigned r = 0; r < c->cfg->service[s].n_resources; r++) {
			const struct config_resource *res = &c->cfg->service[s].resource[r];

			if (res->type == CONFIG_RES_UNIT)
				check_unit(c, res->ref);
			else if (res->type == CONFIG_RES_SCRIPT && access(res->ref, X_OK) != 0)
				finding(c, FIND_ERROR, "install it, executable, on every node",
					"script %s: %s", res->ref, strerror(errno));
		}
}

static void check_loaded(struct check *c, enum daemon d, const json_t *reply)
{
	char ours[24];
	const char *theirs = js_str(reply, "config_hash");

	snprintf(ours, sizeof(ours), "%016llx", (unsigned long long)c->cfg->hash);
	if (theirs && strcmp(theirs, ours) != 0)
		finding(c, FIND_ERROR,
			"when the file is the same on every node: systemctl restart stockade-NAME, one node after "
			"the other",
			"%s runs with another configuration than this file (%s, the file has %s)",
			daemon_names[d], theirs, ours);
}

void check_daemons(struct check *c)
{
	struct answer answer[DAEMONS];
	json_t *problems, *p;
	unsigned running = 0;
	size_t i;

	ask_all(json_pack("{s:s}", "cmd", "status"), ASK_MS, answer);
	for (unsigned d = 0; d < DAEMONS; d++) {
		running += answer[d].reply != NULL;
		check_loaded(c, d, answer[d].reply);
	}
	if (running == 0) {
		finding(c, FIND_NOTE, NULL,
			"no daemon runs here, so fence paths and volumes were not looked at; start them with: "
			"systemctl enable --now corosync stockade.target");
		answers_free(answer);
		return;
	}
	problems = problems_find(answer);
	json_array_foreach (problems, i, p)
		finding(c, FIND_ERROR, js_str(p, "remedy"), "%s", js_text(p, "text", "?"));
	if (json_array_size(problems) == 0)
		finding(c, FIND_OK, NULL,
			"the daemons agree on all nodes; every fence path and volume answers");
	json_decref(problems);
	answers_free(answer);
}
