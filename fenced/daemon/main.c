/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fenced/daemon/main.c - stockade-fenced: options, start and stop. */
#include "daemon.h"

#include "lib/shell/log.h"
#include "lib/shell/notify.h"
#include "lib/shell/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/reboot.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define COROSYNC_RETRY_MS 300
#define GIVE_UP_MS 5000 /* to say goodbye in a cluster that does not listen */

static const char usage[] =
	"usage: stockade-fenced [-c FILE] [-d] [--record DIR] [--reboot-command PROGRAM]\n"
	"The fence daemon of a Stockade cluster: decides who is fenced, runs the agents, keeps the proofs.\n"
	"\n"
	"  -c, --config FILE         configuration (" CONFIG_PATH ")\n"
	"  -f, --foreground          stay in the foreground: always so, accepted for old scripts\n"
	"  -d, --debug               log every event\n"
	"      --record DIR          write every event and action to DIR, to be replayed (also: STOCKADE_RECORD)\n"
	"      --reboot-command PROGRAM\n"
	"                            run this instead of the kernel's sysrq when the other nodes have declared this\n"
	"                            node dead (for laboratories and appliances; it must not return to a running node)\n"
	"  -h, --help                this text\n"
	"  -V, --version\n";

static void on_reboot_done(void *arg, const struct spawn_result *r)
{
	struct fenced *f = arg;

	log_error("reboot.command", "program=%s rc=%d text=\"the node still runs\"",
		  f->reboot_command, r->status);
}

/* Without sync: what is not written yet must not be (SAFE-7). */
void reboot_now(struct fenced *f, const char *why)
{
	log_error("fence.reboot", "why=\"%s\"", why);
	history_keep(f->history, HISTORY_KEEP_MS);
	if (f->reboot_command) {
		const char *const argv[] = { f->reboot_command, NULL };
		struct spawn_program p = { .argv = argv };

		if (!spawn_program(f->loop, &p, on_reboot_done, f))
			log_error("reboot.command", "program=%s error=\"%s\"", f->reboot_command,
				  strerror(errno));
		return;
	}
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0) {
		if (write(fd, "b", 1) < 0)
			log_error("reboot.sysrq", "error=\"%s\"", strerror(errno));
		close(fd);
		usleep(500000); /* nothing of ours may run on beside it */
	} else {
		log_error("reboot.sysrq", "error=\"%s\"", strerror(errno));
	}
	reboot(LINUX_REBOOT_CMD_RESTART);
	log_error("reboot.failed", "error=\"%s\"", strerror(errno));
}

void stop_now(struct fenced *f, int code)
{
	if (f->cluster && cluster_leave(f->cluster) < 0)
		log_warning("fenced.leave", "text=\"corosync did not take the goodbye\"");
	loop_stop(f->loop, code);
}

/* After SIGTERM, and again whenever something changed that may have stood in the way. */
void try_leave(struct fenced *f)
{
	static bool said;

	if (!f->stopping || f->left)
		return;
	if (!f->dom) {
		stop_now(f, 0);
		return;
	}
	int r = feed(f, (struct fence_event){ .type = FENCE_EV_LEAVE });

	if (r == -EBUSY && !said) {
		said = true;
		log_error("fenced.leave", "text=\"cannot say goodbye: %s\"", fence_refusal(f->dom));
	}
	/* The others will take it for absent, and fence it if it does not come back. */
	if ((r == -EAGAIN || r == 0) && !f->signs.holds)
		loop_timer_arm(f->give_up, mono_ms() + GIVE_UP_MS);
}

static void on_give_up(void *arg)
{
	struct fenced *f = arg;

	if (f->left || f->signs.holds)
		return;
	log_warning("fenced.leave", "text=\"leaving without a goodbye: no quorum\"");
	stop_now(f, 0);
}

static void on_signal(void *arg, int sig)
{
	struct fenced *f = arg;

	log_info("fenced.signal", "signal=%d", sig);
	notify_stopping();
	f->stopping = true;
	try_leave(f);
}

static void on_retry(void *arg)
{
	struct fenced *f = arg;
	static bool said;
	int r = shell_start(f);

	if (r == -EAGAIN) {
		if (!said)
			log_warning("fenced.wait", "text=\"%s\"", f->waits);
		said = true;
		notify_status("%s", f->waits);
		loop_timer_arm(f->retry, mono_ms() + COROSYNC_RETRY_MS);
	} else if (r < 0) {
		log_error("fenced.start", "text=\"%s\"", f->waits[0] ? f->waits : strerror(-r));
		loop_stop(f->loop, r == -EINVAL ? CONFIG_EXIT : 1);
	}
}

static int serve(struct fenced *f)
{
	static const struct ipc_ops ops = { on_ipc, on_ipc_gone };

	f->loop = loop_new();
	if (!f->loop)
		return 1;
	f->retry = loop_timer_new(f->loop, on_retry, f);
	f->give_up = loop_timer_new(f->loop, on_give_up, f);
	if (!f->retry || !f->give_up || loop_signal_add(f->loop, SIGTERM, on_signal, f) < 0 ||
	    loop_signal_add(f->loop, SIGINT, on_signal, f) < 0)
		return 1;
	f->ipc = ipc_server_new(f->loop, "stockade-fenced", &ops, f);
	if (!f->ipc) {
		log_error("fenced.start", "text=\"%s\"",
			  errno == EADDRINUSE ? "another fenced runs on this node"
					      : strerror(errno));
		return 1;
	}
	loop_timer_arm(f->retry, mono_ms());
	int r = loop_run(f->loop);

	f->ipc = ipc_server_free(f->ipc);
	f->cluster = f->cluster ? cluster_close(f->cluster) : NULL;
	attest_close(f);
	doctor_close(f);
	f->agents = agents_free(f->agents);
	f->pings = pings_free(f->pings);
	unfence_end(f);
	guard_end(f);
	f->history = history_close(f->history);
	f->dom = fence_free(f->dom);
	f->record = recorder_close(f->record);
	notify_done();
	loop_timer_free(f->deadline);
	loop_timer_free(f->store_again);
	loop_timer_free(f->retry);
	loop_timer_free(f->give_up);
	loop_free(f->loop);
	return r;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "config", 1, NULL, 'c' },         { "foreground", 0, NULL, 'f' },
		{ "debug", 0, NULL, 'd' },          { "help", 0, NULL, 'h' },
		{ "reboot-command", 1, NULL, 'R' }, { "record", 1, NULL, 'r' },
		{ "version", 0, NULL, 'V' },        { NULL, 0, NULL, 0 },
	};
	static struct fenced f;
	const char *path = CONFIG_PATH;
	bool debug = false;
	int c;

	while ((c = getopt_long(argc, argv, "c:fdhV", opts, NULL)) != -1)
		switch (c) {
		case 'c': path = optarg; break;
		case 'f': break;
		case 'd': debug = true; break;
		case 'r': f.record_dir = optarg; break;
		case 'R': f.reboot_command = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		case 'V': puts("stockade-fenced " STOCKADE_VERSION); return 0;
		default: fputs(usage, stderr); return 2;
		}
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	f.cfg = config_read(path, stderr);
	if (!f.cfg)
		return CONFIG_EXIT;
	/* Big buffers are used for a moment: they go back to the system, and do not stay in the heap. */
	mallopt(M_MMAP_THRESHOLD, 64 * 1024);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	log_open("stockade-fenced", debug);
	dog_init(&f.dog);
	f.start_ms = mono_ms();
	int r = serve(&f);

	f.cfg = config_free(f.cfg);
	log_close();
	return r;
}
