/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade-lvm - runs one LVM command by liblvm2cmd for storaged's drivers, then ends.
 *
 * liblvm2cmd changes the process it lives in (umask, signals, static state), and a command that meets a dead disk
 * survives SIGKILL until the disk answers or goes away. So each command gets a process of its own, that nobody
 * waits for longer than he wants to.
 *
 * stdin:  {"devices": ["/dev/sda"], "args": ["vgchange", "-an", "vg0"]}
 *         devices: LVM sees nothing else; absent: the system's own filter
 * stdout: {"rc": 1, "out": "...", "messages": ["..."]}
 *         rc: lvm2cmd.h (1 done, 5 failed); out: what the command printed (JSON of reports);
 *         messages: its errors and warnings, for people
 * Exit:   0 when a reply was written
 */
#include <errno.h>
#include <jansson.h>
#include <lvm2cmd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX 8192
#define MESSAGES_MAX 20

static json_t *messages;
static FILE *printed;
static bool report; /* JSON is wanted on `printed` */

/* LVM hands us warnings ("WARNING: VG x is missing PV") at the level of what it prints, in the midst of a report. */
static bool of_the_report(const char *message)
{
	char c = message[strspn(message, " ")];

	return !report || (c && strchr("{}[]\",", c));
}

static void on_log(int level, const char *file, int line, int dm_errno, const char *message)
{
	(void)file;
	(void)line;
	(void)dm_errno;
	if (level == LVM2_LOG_PRINT && printed && of_the_report(message))
		fprintf(printed, "%s\n", message);
	else if (level <= LVM2_LOG_PRINT && *message && json_array_size(messages) < MESSAGES_MAX)
		json_array_append_new(messages, json_string(message));
}

/* Words and device names that need no quoting, and nothing else: the command line is split by LVM. */
static bool plain(const char *s)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_-+./,=:@";

	return *s && strspn(s, ok) == strlen(s);
}

static int append(char *cmd, const char *s)
{
	size_t n = strlen(cmd), len = strlen(s);

	if (n + len + 1 >= COMMAND_MAX)
		return -E2BIG;
	memcpy(cmd + n, s, len + 1);
	return 0;
}

static int command(char *cmd, const json_t *request)
{
	const json_t *args = json_object_get(request, "args"),
		     *devices = json_object_get(request, "devices");
	size_t i;
	const json_t *v;
	int r = 0;

	cmd[0] = '\0';
	if (json_array_size(args) == 0)
		return -EINVAL;
	json_array_foreach (args, i, v) {
		const char *s = json_string_value(v);

		if (!s || !plain(s))
			return -EINVAL;
		report = report || strcmp(s, "--reportformat") == 0;
		r = r ? r : append(cmd, s);
		r = r ? r : append(cmd, " ");
	}
	/* No hints and no devices file: both go stale across nodes. No udev database: it lags behind a login. */
	r = r ? r
	      : append(cmd, "--config 'devices{hints=\"none\" use_devicesfile=0 "
			    "obtain_device_list_from_udev=0 "
			    "external_device_info_source=\"none\"");
	if (json_array_size(devices) > 0) {
		r = r ? r : append(cmd, " filter=[");
		json_array_foreach (devices, i, v) {
			const char *s = json_string_value(v);

			if (!s || !plain(s) || s[0] != '/')
				return -EINVAL;
			r = r ? r : append(cmd, "\"a|^");
			r = r ? r : append(cmd, s);
			r = r ? r : append(cmd, "$|\",");
		}
		r = r ? r : append(cmd, "\"r|.*|\"]");
	}
	r = r ? r : append(cmd, "} global{event_activation=0} backup{backup=0 archive=0}'");
	return r;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		puts("stockade-lvm: one LVM command for stockade-storaged; request on stdin, reply on "
		     "stdout;\nsee stockade-lvm(8)");
		return 0;
	}
	json_error_t err;
	json_t *request = json_loadf(stdin, 0, &err);
	char cmd[COMMAND_MAX], *out = NULL;
	size_t out_len = 0;

	if (!request || command(cmd, request) < 0) {
		fprintf(stderr, "stockade-lvm: a request that cannot be: %s\n",
			request ? "args or devices" : err.text);
		return 2;
	}
	messages = json_array();
	printed = open_memstream(&out, &out_len);
	setenv("LVM_SUPPRESS_FD_WARNINGS", "1", 1);
	lvm2_log_fn(on_log);
	void *lvm = lvm2_init();
	int rc = LVM2_INIT_FAILED;

	if (lvm) {
		lvm2_log_level(lvm, LVM2_LOG_PRINT);
		lvm2_disable_dmeventd_monitoring(lvm);
		rc = lvm2_run(lvm, cmd);
		lvm2_exit(lvm);
	}
	fclose(printed);
	printed = NULL;
	json_t *reply = json_pack("{s:i, s:s, s:O}", "rc", rc, "out", out ? out : "", "messages",
				  messages);
	int bad = !reply || json_dumpf(reply, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0;

	json_decref(reply);
	json_decref(messages);
	json_decref(request);
	free(out);
	return bad;
}
