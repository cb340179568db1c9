/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mount options: those that lose data or defeat the cluster are refused, with the reason. */
#include <string.h>

#include "config_parse.h"

static const struct {
	const char *option; /* "key" matches "key" and "key=..."; "key=value" only itself */
	const char *why;
} refused[] = {
	{ "nofail",
	  "a mount that failed must be an error: the service would write into the empty directory" },
	{ "noauto", "it means nothing here: storaged mounts, nobody else" },
	{ "auto",
	  "storaged mounts, nobody else: mounted at boot, the volume would be active on two nodes" },
	{ "user", "only storaged may mount and unmount it" },
	{ "users", "only storaged may mount and unmount it" },
	{ "owner", "only storaged may mount and unmount it" },
	{ "group", "only storaged may mount and unmount it" },
	{ "x-systemd", "storaged mounts, not systemd" },
	{ "x-initrd", "storaged mounts, not the initrd" },
	{ "comment", "storaged mounts, not systemd" },
	{ "nobarrier", "writes that were acknowledged are lost when the node crashes" },
	{ "barrier=0", "writes that were acknowledged are lost when the node crashes" },
	{ "data=writeback", "after a crash files hold old blocks of other files" },
	{ "journal_async_commit", "a crash may lose what was acknowledged" },
	{ "errors=continue",
	  "it goes on writing into a damaged filesystem; use errors=remount-ro" },
	{ "noload", "without its journal the filesystem is not consistent after a takeover" },
	{ "norecovery", "without its journal the filesystem is not consistent after a takeover" },
	{ "ro", "a filesystem that is read-only is taken for one that failed" },
	{ "remount", "storaged mounts a volume once" },
	{ "bind", "a volume is a device" },
	{ "rbind", "a volume is a device" },
	{ "move", "a volume is a device" },
	{ "loop", "a volume is a device already" },
	{ "offset", "a volume is a whole logical volume" },
	{ "nouuid", "two copies of one XFS must not be mounted: the wrong one may be picked" },
};

/* For typing errors only: others are passed to mount as they are. */
static const char *const known[] = {
	"acl",
	"allocsize",
	"async",
	"atime",
	"attr2",
	"commit",
	"context",
	"data",
	"dax",
	"defaults",
	"delalloc",
	"dev",
	"diratime",
	"dirsync",
	"discard",
	"errors",
	"exec",
	"fscontext",
	"grpjquota",
	"grpquota",
	"inode64",
	"jqfmt",
	"largeio",
	"lazytime",
	"logbsize",
	"logbufs",
	"logdev",
	"max_batch_time",
	"min_batch_time",
	"nodelalloc",
	"nodev",
	"nodiratime",
	"nodiscard",
	"noexec",
	"noacl",
	"noatime",
	"noquota",
	"nosuid",
	"nolazytime",
	"nostrictatime",
	"norelatime",
	"pquota",
	"prjquota",
	"quota",
	"relatime",
	"resgid",
	"resuid",
	"rootcontext",
	"rw",
	"seclabel",
	"strictatime",
	"stripe",
	"suid",
	"sunit",
	"swidth",
	"swalloc",
	"sync",
	"uquota",
	"usrjquota",
	"usrquota",
	"usrquota",
	"user_xattr",
	"wsync",
	"_netdev",
	"gquota",
	"journal_checksum",
	"init_itable",
	"noinit_itable",
	"barrier",
	"bsdgroups",
	"grpid",
	"nogrpid",
	"sysvgroups",
	"inode32",
	"ikeep",
	"noikeep",
	"filestreams",
	"mb_optimize_scan",
	NULL,
};

static bool matches(const char *option, const char *pattern)
{
	size_t len = strlen(pattern);

	if (strchr(pattern, '='))
		return strcmp(option, pattern) == 0;
	return strncmp(option, pattern, len) == 0 &&
	       (option[len] == '\0' || option[len] == '=' || option[len] == '.');
}

static void check_one(struct parse *p, struct at at, const char *option)
{
	char key[CONFIG_NAME_MAX];
	const char *near;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (matches(option, refused[i].option)) {
			say_error(p, at, "mount option \"%s\" is refused", option);
			say_note(p, "%s", refused[i].why);
			return;
		}
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(option, "="), option);
	for (unsigned i = 0; known[i]; i++)
		if (strcmp(known[i], key) == 0)
			return;
	near = nearest_word(key, known);
	say_warning(p, at, "mount option \"%s\" is not known here; it is passed to mount as it is",
		    option);
	if (near)
		say_note(p, "did you mean \"%s\"?", near);
}

void mount_options_check(struct parse *p, const struct item *it, const char *options)
{
	const char *start = options;
	bool quoted = false;

	for (const char *c = options;; c++) {
		char option[CONFIG_PATH_MAX];

		if (*c == '"')
			quoted = !quoted;
		if (*c && (*c != ',' || quoted))
			continue;
		struct at at = it->at;

		if (at.len ==
		    (int)strlen(options)) { /* one line, as written: point at the very option */
			at.col += (int)(start - options);
			at.len = (int)(c - start);
		}
		snprintf(option, sizeof(option), "%.*s", (int)(c - start), start);
		if (!option[0] || strpbrk(option, " \t")) {
			say_error(p, it->at, "options must be words, with a comma between each");
			say_note(p, "expected options: noatime,nosuid");
			return;
		}
		check_one(p, at, option);
		if (!*c)
			return;
		start = c + 1;
	}
}
