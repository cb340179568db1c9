/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Section volumes: from the target to the mount point, as one object. */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "config_parse.h"

#define ISCSI_PORT 3260

static unsigned volume_index(const struct parse *p, const struct config_volume *v)
{
	return (unsigned)(v - p->cfg->volume);
}

static void portal_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;
	struct address a;
	const char *why;
	char text[CONFIG_NAME_MAX - 8]; /* room for the port */

	if (!read_text(p, it, text, sizeof(text)))
		return;
	if (!address_port_parse(text, &a)) {
		say_error(p, it->at, "portal \"%s\" is not an address", text);
		say_note(
			p,
			"expected 192.0.2.1, 192.0.2.1:3260 or [2001:db8::1]:3260; no host name: a name service may "
			"be down when a node takes over");
	} else if (!address_usable(&a, &why)) {
		say_error(p, it->at, "portal is %s", why);
	} else if (a.port) {
		snprintf(v->portal, sizeof(v->portal), "%s", text);
	} else if (strchr(text, ':') && text[0] != '[') {
		snprintf(v->portal, sizeof(v->portal), "[%s]:%d", text, ISCSI_PORT);
	} else {
		snprintf(v->portal, sizeof(v->portal), "%s:%d", text, ISCSI_PORT);
	}
}

static void target_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;
	const char *c;

	p->target_at[volume_index(p, v)] = it->at;
	if (!read_text(p, it, v->target, sizeof(v->target)))
		return;
	for (c = v->target; *c && (isalnum((unsigned char)*c) || strchr(".-:", *c)); c++)
		;
	if (*c || (strncmp(v->target, "iqn.", 4) != 0 && strncmp(v->target, "eui.", 4) != 0 &&
		   strncmp(v->target, "naa.", 4) != 0)) {
		say_error(p, it->at, "target \"%s\" is not an iSCSI name", v->target);
		say_note(p, "expected iqn.YYYY-MM.DOMAIN:NAME, eui.HEX or naa.HEX");
	}
}

static void chap_username_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	read_text(p, it, v->chap_username, sizeof(v->chap_username));
}

static void chap_password_file_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	read_path(p, it, v->chap_password_file, sizeof(v->chap_password_file));
}

static void chap_password_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	say_error(p, it->key_at, "a secret must not be written into this file");
	say_note(
		p,
		"put it into a file of its own, mode 0600, and write: password_file: /etc/stockade/%s.secret",
		v->name);
}

static const struct key iscsi_keys[] = {
	{ "portal", portal_read, true },
	{ "target", target_read, true },
	{ "username", chap_username_read, false },
	{ "password_file", chap_password_file_read, false },
	{ "password", chap_password_read, false },
	{ NULL, NULL, false },
};

static void iscsi_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;
	unsigned n_errors = p->n_errors;

	v->iscsi = true;
	read_map(p, it, "iscsi", iscsi_keys, v);
	if (p->n_errors == n_errors && !v->chap_username[0] != !v->chap_password_file[0]) {
		say_error(p, it->key_at, "iscsi has a %s, but no %s",
			  v->chap_username[0] ? "username" : "password_file",
			  v->chap_username[0] ? "password_file" : "username");
		say_note(p, "CHAP needs both");
	}
}

/* LVM's own rules, lvm(8) "Valid names". */
static bool lvm_name_read(struct parse *p, const struct item *it, char *ret, size_t size, bool lv)
{
	static const char *const within[] = { "_cdata", "_cmeta",   "_corig",  "_mimage",
					      "_mlog",  "_pmspare", "_rimage", "_rmeta",
					      "_tdata", "_tmeta",   "_vorigin" };
	char text[CONFIG_PATH_MAX];
	const char *c;
	bool bad;

	if (!read_text(p, it, text, size < sizeof(text) ? size : sizeof(text)))
		return false;
	for (c = text; *c && (isalnum((unsigned char)*c) || strchr("_.+-", *c)); c++)
		;
	bad = *c || text[0] == '-' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
	if (lv) {
		bad |= strncmp(text, "snapshot", 8) == 0 || strncmp(text, "pvmove", 6) == 0;
		for (size_t i = 0; i < sizeof(within) / sizeof(within[0]); i++)
			bad |= strstr(text, within[i]) != NULL;
	}
	if (bad) {
		say_error(p, it->at, "%s \"%s\" is not a name that LVM allows", it->key, text);
		say_note(
			p,
			"expected letters, digits, \"_\", \".\", \"+\", \"-\", none of LVM's reserved names; no path");
		return false;
	}
	memcpy(ret, text, strlen(text) + 1);
	return true;
}

static void vg_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	p->vg_at[volume_index(p, v)] = it->at;
	lvm_name_read(p, it, v->vg, sizeof(v->vg), false);
}

#define EPOCH_SUFFIX "_stockade" /* the small logical volume of epochs beside LV */

static void lv_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;
	size_t n = strlen(EPOCH_SUFFIX), len;

	p->lv_at[volume_index(p, v)] = it->at;
	if (!lvm_name_read(p, it, v->lv, sizeof(v->lv) - n, true))
		return;
	len = strlen(v->lv);
	if (len >= n && strcmp(v->lv + len - n, EPOCH_SUFFIX) == 0)
		say_error(p, it->at,
			  "lv \"%s\" ends in \"%s\", the name of Stockade's own epoch area", v->lv,
			  EPOCH_SUFFIX);
}

static void fs_read(struct parse *p, void *obj, const struct item *it)
{
	static const char *const words[] = { "ext4", "xfs", NULL };
	struct config_volume *v = obj;
	unsigned i;

	p->fs_at[volume_index(p, v)] = it->key_at;
	if (read_word(p, it, words, &i))
		v->fs = i == 0 ? CONFIG_FS_EXT4 : CONFIG_FS_XFS;
}

/* Directories that a system lives from: mounting over one hides what it needs. */
static bool system_dir(const char *path)
{
	static const char *const dirs[] = { "/",     "/bin",   "/boot", "/dev",  "/etc",  "/home",
					    "/lib",  "/lib64", "/opt",  "/proc", "/root", "/run",
					    "/sbin", "/srv",   "/sys",  "/tmp",  "/usr",  "/var" };
	static const char *const below[] = {
		"/dev/",         "/etc/stockade",     "/proc/",
		"/run/stockade", "/run/systemd",      "/run/lock",

		"/sys/",         "/var/lib/stockade", "/var/lib/corosync",
		"/etc/corosync"
	};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (strcmp(path, dirs[i]) == 0 && strcmp(path, "/srv") != 0 &&
		    strcmp(path, "/home") != 0 && strcmp(path, "/opt") != 0)
			return true;
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		if (strncmp(path, below[i], strlen(below[i])) == 0)
			return true;
	return false;
}

static void mount_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	p->mount_at[volume_index(p, v)] = it->at;
	if (!read_path(p, it, v->mount, sizeof(v->mount)))
		return;
	if (system_dir(v->mount)) {
		say_error(p, it->at, "mount \"%s\" would hide a directory that the system needs",
			  v->mount);
		say_note(p, "expected a directory of its own, such as /srv/%s", v->name);
	}
}

static void options_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	if (read_text(p, it, v->options, sizeof(v->options)))
		mount_options_check(p, it, v->options);
}

static void fsck_read(struct parse *p, void *obj, const struct item *it)
{
	static const char *const words[] = { "journal", "preen", NULL };
	struct config_volume *v = obj;
	unsigned i;

	p->fsck_at[volume_index(p, v)] = it->key_at;
	if (read_word(p, it, words, &i))
		v->fsck_preen = i == 1;
}

static void reservations_read(struct parse *p, void *obj, const struct item *it)
{
	static const char *const words[] = { "false", "true", "volatile", NULL };
	struct config_volume *v = obj;
	unsigned i;

	if (!read_word(p, it, words, &i))
		return;
	v->reservations = i > 0;
	v->reservations_volatile = i == 2;
}

static void file_read(struct parse *p, void *obj, const struct item *it)
{
	struct config_volume *v = obj;

	p->file_at[volume_index(p, v)] = it->key_at;
	read_path(p, it, v->file, sizeof(v->file));
}

static const struct key volume_keys[] = {
	{ "iscsi", iscsi_read, false },
	{ "vg", vg_read, false },
	{ "lv", lv_read, false },
	{ "fs", fs_read, false },
	{ "mount", mount_read, false },
	{ "options", options_read, false },
	{ "fsck", fsck_read, false },
	{ "file", file_read, false },
	{ "reservations", reservations_read, false },
	{ NULL, NULL, false },
};

static void volume_each(struct parse *p, const struct item *it)
{
	struct config *cfg = p->cfg;
	struct config_volume *v = &cfg->volume[cfg->n_volumes];
	unsigned n_errors = p->n_errors;
	char what[CONFIG_NAME_MAX + 16];
	unsigned me = cfg->n_volumes++;

	p->volume_at[me] = it->key_at;
	snprintf(v->name, sizeof(v->name), "%s", it->key);
	snprintf(what, sizeof(what), "volume \"%s\"", it->key);
	read_map(p, it, what, volume_keys, v);
	if (p->n_errors != n_errors)
		return; /* one thing at a time */
	if (v->file[0]) {
		if (v->iscsi || v->vg[0] || v->lv[0] || v->fs || v->options[0] || v->reservations) {
			say_error(p, p->file_at[me], "%s has \"file\" and also parts of a disk",
				  what);
			say_note(
				p,
				"\"file\" is a directory that plays the disk in tests; leave iscsi, vg, lv, fs, options "
				"and reservations out");
		}
		return;
	}
	const struct {
		const char *key;
		bool given;
	} needed[] = { { "vg", v->vg[0] },
		       { "lv", v->lv[0] },
		       { "fs", v->fs != 0 },
		       { "mount", v->mount[0] } };
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!needed[i].given)
			say_error(p, it->key_at, "%s has no \"%s\"", what, needed[i].key);
	if (v->fsck_preen && v->fs == CONFIG_FS_XFS) {
		say_error(p, p->fsck_at[me],
			  "fsck: preen is for ext4; XFS repairs itself from its log at mount");
		say_note(p, "leave it out; a damaged XFS wants xfs_repair by hand");
	}
}

void volumes_read(struct parse *p, void *cfg, const struct item *it)
{
	(void)cfg;
	read_named(p, it, "volume", CONFIG_VOLUMES_MAX, volume_each);
}

unsigned volume_service(const struct config *cfg, unsigned volume)
{
	for (unsigned s = 0; s < cfg->n_services; s++)
		for (unsigned r = 0; r < cfg->service[s].n_resources; r++)
			if (cfg->service[s].resource[r].type == CONFIG_RES_VOLUME &&
			    cfg->service[s].resource[r].volume == volume)
				return s;
	return UINT_MAX;
}

/* Is @inner @outer itself, or below it? */
static bool path_within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return strncmp(inner, outer, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

static void check_pair(struct parse *p, unsigned a, unsigned b)
{
	const struct config *cfg = p->cfg;
	const struct config_volume *va = &cfg->volume[a], *vb = &cfg->volume[b];
	unsigned sa = volume_service(cfg, a), sb = volume_service(cfg, b);
	bool together = sa == sb && sa != UINT_MAX;

	if (va->file[0] && strcmp(va->file, vb->file) == 0)
		say_error(p, p->file_at[b], "volumes \"%s\" and \"%s\" use the same file", va->name,
			  vb->name);
	if (va->mount[0] && vb->mount[0] &&
	    (path_within(va->mount, vb->mount) || path_within(vb->mount, va->mount))) {
		if (strcmp(va->mount, vb->mount) == 0)
			say_error(p, p->mount_at[b],
				  "volumes \"%s\" and \"%s\" have the same mount point", va->name,
				  vb->name);
		else
			say_error(p, p->mount_at[b],
				  "mount points of volumes \"%s\" and \"%s\" lie in each other",
				  va->name, vb->name);
		say_note(p, "one would hide the other's files");
	}
	if (!va->vg[0] || strcmp(va->vg, vb->vg) != 0) {
		if (va->iscsi && vb->iscsi && va->target[0] &&
		    strcmp(va->target, vb->target) == 0 && !together) {
			say_error(p, p->target_at[b],
				  "volumes \"%s\" and \"%s\" have the same target", va->name,
				  vb->name);
			say_note(
				p,
				"letting go of one would log the other out: give each its own target, or put both "
				"into one service");
		}
		return;
	}
	if (strcmp(va->lv, vb->lv) == 0) {
		say_error(p, p->lv_at[b],
			  "volumes \"%s\" and \"%s\" are the same logical volume %s/%s", va->name,
			  vb->name, va->vg, va->lv);
	} else if (!together) {
		say_error(p, p->vg_at[b], "volumes \"%s\" and \"%s\" share volume group \"%s\"",
			  va->name, vb->name, va->vg);
		say_note(
			p,
			"two nodes would write its metadata: give each its own group, or put both into one service");
	}
}

void volumes_check(struct parse *p)
{
	const struct config *cfg = p->cfg;

	for (unsigned b = 0; b < cfg->n_volumes; b++)
		for (unsigned a = 0; a < b; a++)
			check_pair(p, a, b);
}
