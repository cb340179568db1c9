/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade-storaged: keeps each service, its volume and its address on one healthy node. See stockade-storaged(8). */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/notify.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void usage(FILE *to)
{
	fprintf(to,
		"usage: stockade-storaged [options]\n"
		"  -c, --config FILE          configuration [" CONFIG_PATH "]\n"
		"  -d, --debug                log every event and action\n"
		"      --record DIR           write every event and action to DIR, to be replayed (also: STOCKADE_RECORD)\n"
		"      --rundir DIR           run-time files [" STOCKADE_RUNDIR "]\n"
		"      --statedir DIR         what the operator said [" STOCKADE_STATEDIR "]\n"
		"      --reboot-command CMD   run by sh instead of a reboot by sysrq, for tests\n"
		"  -V, --version\n"
		"  -h, --help\n");
}

static void on_signal(void *arg, int sig)
{
	struct daemon *d = arg;

	log_notice("signal", "sig=%d", sig);
	shell_stop(d);
}

int main(int argc, char **argv)
{
	enum { OPT_RUNDIR = 256, OPT_STATEDIR, OPT_REBOOT, OPT_RECORD };
	static const struct option opts[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "debug", no_argument, NULL, 'd' },
		{ "rundir", required_argument, NULL, OPT_RUNDIR },
		{ "statedir", required_argument, NULL, OPT_STATEDIR },
		{ "reboot-command", required_argument, NULL, OPT_REBOOT },
		{ "record", required_argument, NULL, OPT_RECORD },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static struct daemon d; /* large, and zero */
	bool debug = false;
	int opt;

	d.config_path = CONFIG_PATH;
	d.rundir = STOCKADE_RUNDIR;
	d.statedir = STOCKADE_STATEDIR;
	while ((opt = getopt_long(argc, argv, "c:dVh", opts, NULL)) != -1) {
		switch (opt) {
		case 'c': d.config_path = optarg; break;
		case 'd': debug = true; break;
		case OPT_RUNDIR: d.rundir = optarg; break;
		case OPT_STATEDIR: d.statedir = optarg; break;
		case OPT_RECORD: d.record_dir = optarg; break;
		case OPT_REBOOT: d.reboot_command = optarg; break;
		case 'V': puts("stockade-storaged " STOCKADE_VERSION); return 0;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	/* Big buffers are used for a moment: they go back to the system, and do not stay in the heap. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	log_open("stockade-storaged", debug);
	d.cfg = config_read(d.config_path, stderr);
	if (!d.cfg) {
		log_error(
			"storaged.start",
			"config=%s error=\"the configuration cannot be used\" remedy=\"run: stockade check\"",
			d.config_path);
		return CONFIG_EXIT;
	}
	if ((mkdir(d.rundir, 0750) < 0 && errno != EEXIST) ||
	    (mkdir(d.statedir, 0750) < 0 && errno != EEXIST)) {
		log_error("storaged.start", "rundir=%s statedir=%s error=\"%s\"", d.rundir,
			  d.statedir, strerror(errno));
		return 1;
	}
	umask(0027);
	d.started_ms = mono_ms();
	d.loop = loop_new();
	if (!d.loop || answer_start(&d) < 0) {
		log_error("storaged.start",
			  "error=\"%s\" remedy=\"is another stockade-storaged running?\"",
			  strerror(errno));
		return 1;
	}
	loop_signal_add(d.loop, SIGTERM, on_signal, &d);
	loop_signal_add(d.loop, SIGINT, on_signal, &d);
	if (shell_start(&d) < 0) {
		log_error("storaged.start", "error=\"no memory\"");
		return 1;
	}
	notify_ready(d.loop);
	d.exit_code = loop_run(d.loop);
	/* Children die with us (PR_SET_PDEATHSIG); what is mounted or locked stays as it is. */
	notify_done();
	recorder_close(d.record);
	json_decref(d.last_end);
	history_close(d.history);
	log_close();
	return d.exit_code;
}
