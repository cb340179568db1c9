/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade init: the files of a new cluster. Everything is judged before anything is written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/corosync_conf.h"
#include "tools/init.h"

#define XVM_KEY "/etc/cluster/fence_xvm.key"
#define KEY_BYTES_MAX 4096

static struct init input;
static bool input_wrong;

static void on_node(const char *v)
{
	input_wrong |= !init_node(&input, v);
}

static void on_device(const char *v)
{
	input_wrong |= !init_device(&input, v);
}

static void on_fence(const char *v)
{
	input_wrong |= !init_fence(&input, v);
}

static void on_volume(const char *v)
{
	input_wrong |= !init_volume(&input, v);
}

static void on_service(const char *v)
{
	input_wrong |= !init_service(&input, v);
}

static void write_nodes(const struct init *in, FILE *f)
{
	fputs("nodes:\n", f);
	for (unsigned i = 0; i < in->n_nodes; i++) {
		bool any = false;

		fprintf(f, "  %s:\n    id: %u\n    link0: \"%s\"\n", in->node[i].name, i + 1,
			in->node[i].link[0]);
		if (in->node[i].link[1][0])
			fprintf(f, "    link1: \"%s\"\n", in->node[i].link[1]);
		for (unsigned u = 0; u < in->n_uses; u++) {
			if (strcmp(in->use[u].node, in->node[i].name) != 0)
				continue;
			if (!any)
				fputs("    fence:\n", f);
			any = true;
			if (in->use[u].plug[0])
				fprintf(f, "      - {%s: \"%s\"}\n", in->use[u].device,
					in->use[u].plug);
			else
				fprintf(f, "      - {%s: }\n", in->use[u].device);
		}
	}
	if (in->n_devices)
		fputs("\nfence_devices:\n", f);
	for (unsigned i = 0; i < in->n_devices; i++)
		fprintf(f, "  %s: {%s}\n", in->device[i].name, in->device[i].params);
}

static char *compose(const struct init *in)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f,
		"# Made by stockade init. The same on every node; format: stockade.yaml(5).\n"
		"# After a change: stockade check; then copy it to every node.\n\n"
		"cluster: %s\n\n"
		"# How long a dead node may go unnoticed. Every other time follows from it: stockade timing.\n"
		"detect: %s\n\n",
		in->cluster, in->detect);
	write_nodes(in, f);
	if (in->n_volumes)
		fputs("\nvolumes:\n", f);
	for (unsigned i = 0; i < in->n_volumes; i++) {
		fprintf(f, "  %s:\n", in->volume[i].name);
		if (in->volume[i].iscsi[0])
			fprintf(f, "    iscsi: {%s}\n", in->volume[i].iscsi);
		fputs(in->volume[i].rest, f);
	}
	if (in->n_services)
		fputs("\nservices:\n", f);
	for (unsigned i = 0; i < in->n_services; i++)
		fprintf(f,
			"  %s:\n    resources:          # started from top to bottom, stopped from bottom to top\n%s",
			in->service[i].name, in->service[i].resources);
	return fclose(f) == 0 ? text : NULL;
}

/* One file to be there in the end. */
struct file {
	const char *path;
	mode_t mode;
	char *content;
	size_t len;
	bool wanted, keep; /* keep: it is there, and stays as it is */
	bool backup;
	char full[CONFIG_PATH_MAX * 2];
};

enum { FILE_CONFIG, FILE_COROSYNC, FILE_AUTHKEY, FILE_XVM, FILES };

static char *slurp(const char *path, size_t *len)
{
	char *buf = NULL;
	FILE *in = fopen(path, "re"), *out;
	char chunk[4096];
	size_t n;

	*len = 0;
	if (!in)
		return NULL;
	out = open_memstream(&buf, len);
	while (out && (n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		fwrite(chunk, 1, n, out);
	if (out)
		fclose(out);
	fclose(in);
	return buf;
}

/* May this file be written? Return: 0, or an exit code and it was reported. */
static int judge(struct file *f, bool force, bool keep_corosync)
{
	static struct corosync_conf conf;
	size_t len;
	unsigned line;
	char *old = slurp(f->full, &len);
	bool is_key = f->path[0] &&
		      (strcmp(f->path, COROSYNC_AUTHKEY) == 0 || strcmp(f->path, XVM_KEY) == 0);
	int code = EXIT_OK;

	if (!old)
		return EXIT_OK;
	if (len == f->len && memcmp(old, f->content, len) == 0) {
		f->keep = true;
	} else if (is_key) {
		f->keep = !force; /* other nodes may have it already */
	} else if (strcmp(f->path, COROSYNC_CONF) == 0 && keep_corosync) {
		f->keep = true;
	} else if (strcmp(f->path, COROSYNC_CONF) == 0 &&
		   corosync_conf_read(f->full, &conf, &line) == 0 &&
		   corosync_conf_is_package_default(&conf)) {
		f->backup = true;
	} else if (force) {
		f->backup = true;
	} else {
		fprintf(stderr,
			"stockade: %s is there already, and different; nothing was written.\n",
			f->full);
		fprintf(stderr,
			"  to do: --force writes it anew and keeps the old one as %s.old%s\n",
			f->full,
			strcmp(f->path, COROSYNC_CONF) == 0 ? "; --keep-corosync leaves it as it is"
							    : "");
		code = EXIT_REFUSED;
	}
	free(old);
	return code;
}

static bool make_dirs(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		bool ok = mkdir(path, 0755) == 0 || errno == EEXIST;

		*slash = '/';
		if (!ok)
			return false;
	}
	return true;
}

/* All or nothing: written beside, then renamed. */
static bool write_file(struct file *f)
{
	char temp[sizeof(f->full) + 8], old[sizeof(f->full) + 8];
	size_t done = 0;
	bool ok;
	int fd;

	snprintf(temp, sizeof(temp), "%s.new", f->full);
	snprintf(old, sizeof(old), "%s.old", f->full);
	if (!make_dirs(f->full))
		goto fail;
	if (f->backup && rename(f->full, old) != 0)
		goto fail;
	unlink(temp);
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		goto fail;
	while (done < f->len) {
		ssize_t n = write(fd, f->content + done, f->len - done);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	ok = done == f->len && fchmod(fd, f->mode) == 0 && fsync(fd) == 0;
	ok &= close(fd) == 0;
	if (ok && rename(temp, f->full) == 0) {
		printf("  wrote %s, mode %04o%s\n", f->full, f->mode,
		       f->backup ? "; the old one is FILE.old" : "");
		return true;
	}
	unlink(temp);
fail:
	fprintf(stderr, "stockade: cannot write %s: %s\n", f->full, strerror(errno));
	return false;
}

static bool make_key(struct file *f, size_t len)
{
	f->content = malloc(len);
	f->len = len;
	for (size_t done = 0; f->content && done < len;) {
		ssize_t n = getrandom(f->content + done, len - done > 256 ? 256 : len - done, 0);

		if (n < 0)
			return false;
		done += (size_t)n;
	}
	return f->content != NULL;
}

static void say_next(const struct config *cfg, const struct file *file, const char *root)
{
	const struct config_node *self = config_self(cfg, 0);

	puts("\nNow");
	if (root[0]) {
		printf("  copy what is in %s to the same places on every node, with its modes\n",
		       root);
	} else {
		for (unsigned i = 0; i < cfg->n_nodes; i++) {
			if (self == &cfg->node[i])
				continue;
			printf("  tar -C / -cp etc/stockade etc/corosync/corosync.conf etc/corosync/authkey%s | ssh root@%s tar -C / "
			       "-xp\n",
			       file[FILE_XVM].wanted ? " etc/cluster" : "", cfg->node[i].link[0]);
		}
		if (file[FILE_XVM].wanted)
			puts("  stockade key push --hypervisor HOST copies " XVM_KEY
			     " to the host too; start stockade-virtd there");
	}
	for (unsigned i = 0; i < cfg->n_devices; i++)
		for (unsigned k = 0; k < cfg->device[i].n_params; k++)
			if (cfg->device[i].param[k].secret_file) {
				printf("  write the password of %s into %s, mode 0600, on every node\n",
				       cfg->device[i].name, cfg->device[i].param[k].value);
			}
	puts("Then, on every node\n"
	     "  stockade check                   (or for fencing alone: stockade doctor fence --local)\n"
	     "  systemctl enable --now corosync stockade.target");
	if (cfg->n_volumes) {
		puts("and on one of them");
		for (unsigned i = 0; i < cfg->n_volumes; i++)
			if (cfg->volume[i].vg[0])
				printf("  stockade volume prepare %s\n", cfg->volume[i].name);
	}
	puts("  stockade status");
}

static void say_disagreement(void *arg, bool fatal, const char *text)
{
	(void)arg;
	printf("    %s: %s\n", fatal ? "must be changed" : "consider", text);
}

/* A corosync.conf that was kept is the operator's to change, before the daemons will work with it. */
static void say_disagreements(const char *path, const struct config *cfg)
{
	static struct corosync_conf conf;
	unsigned line;

	if (corosync_conf_read(path, &conf, &line) == 0)
		corosync_conf_compare(&conf, cfg, say_disagreement, NULL);
	else
		printf("    must be changed: it cannot be understood (line %u)\n", line);
}

static int write_all(struct config *cfg, const char *text, const char *root, bool force,
		     bool keep_corosync)
{
	struct file file[FILES] = {
		[FILE_CONFIG] = { .path = CONFIG_PATH, .mode = 0644, .wanted = true },
		[FILE_COROSYNC] = { .path = COROSYNC_CONF, .mode = 0644, .wanted = true },
		[FILE_AUTHKEY] = { .path = COROSYNC_AUTHKEY, .mode = 0400, .wanted = true },
		[FILE_XVM] = { .path = XVM_KEY, .mode = 0600, .wanted = input.xvm_key },
	};
	FILE *f = open_memstream(&file[FILE_COROSYNC].content, &file[FILE_COROSYNC].len);
	int code = EXIT_OK;

	if (!f || !make_key(&file[FILE_AUTHKEY], 256) ||
	    !make_key(&file[FILE_XVM], KEY_BYTES_MAX)) {
		fprintf(stderr, "stockade: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	snprintf(cfg->path, sizeof(cfg->path), "%s", CONFIG_PATH);
	corosync_conf_write(cfg, f);
	fclose(f);
	file[FILE_CONFIG].content = strdup(text);
	file[FILE_CONFIG].len = strlen(text);
	for (unsigned i = 0; i < FILES && code == EXIT_OK; i++) {
		snprintf(file[i].full, sizeof(file[i].full), "%s%s", root, file[i].path);
		if (file[i].wanted)
			code = judge(&file[i], force, keep_corosync);
	}
	for (unsigned i = 0; i < FILES && code == EXIT_OK; i++) {
		if (!file[i].wanted)
			continue;
		if (file[i].keep)
			printf("  kept  %s as it is\n", file[i].full);
		if (file[i].keep && i == FILE_COROSYNC)
			say_disagreements(file[i].full, cfg);
		if (!file[i].keep && !write_file(&file[i]))
			code = EXIT_FAILED;
	}
	if (code == EXIT_OK)
		say_next(cfg, file, root);
	for (unsigned i = 0; i < FILES; i++) {
		if (file[i].content)
			explicit_bzero(file[i].content, file[i].len);
		free(file[i].content);
	}
	return code;
}

static int init_run(int argc, char **argv)
{
	bool force = false, keep_corosync = false, xvm = false, print = false;
	const char *cluster = NULL, *detect = NULL, *root = "";
	const struct option_spec spec[] = {
		{ "--cluster", NULL, &cluster, NULL },
		{ "--detect", NULL, &detect, NULL },
		{ "--node", NULL, NULL, on_node },
		{ "--device", NULL, NULL, on_device },
		{ "--fence", NULL, NULL, on_fence },
		{ "--fence-xvm", &xvm, NULL, NULL },
		{ "--xvm-key", &input.xvm_key, NULL, NULL },
		{ "--volume", NULL, NULL, on_volume },
		{ "--service", NULL, NULL, on_service },
		{ "--force", &force, NULL, NULL },
		{ "--keep-corosync", &keep_corosync, NULL, NULL },
		{ "--print", &print, NULL, NULL },
		{ "--root", NULL, &root, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct config *cfg;
	char *text;
	int code;

	if (options_parse(&argc, argv, spec) || input_wrong)
		return EXIT_USAGE;
	if (argc > 1)
		return usage_error("init takes options only; see: stockade init --help");
	snprintf(input.cluster, sizeof(input.cluster), "%s", cluster ? cluster : "");
	snprintf(input.detect, sizeof(input.detect), "%s", detect ? detect : "");
	if (xvm)
		init_fence_xvm(&input);
	if (input.n_nodes == 0 && !isatty(STDIN_FILENO))
		return usage_error(
			"there is no terminal to ask on: give --cluster, --node NAME=ADDRESS for each node, and "
			"--fence-xvm or --device and --fence");
	if (input.n_nodes == 0 && !init_ask(&input)) {
		fputs("\nstockade: given up, nothing was written\n", stderr);
		return EXIT_FAILED;
	}
	if (!input.cluster[0])
		strcpy(input.cluster, "cluster");
	if (!input.detect[0])
		strcpy(input.detect, "3s");
	text = compose(&input);
	cfg = text ? config_parse(text, "stockade.yaml (not yet written)", stderr) : NULL;
	if (!cfg) {
		fputs("stockade: nothing was written\n", stderr);
		code = EXIT_USAGE;
	} else if (print) {
		fputs(text, stdout);
		code = EXIT_OK;
	} else {
		code = write_all(cfg, text, root, force, keep_corosync);
	}
	config_free(cfg);
	free(text);
	return code;
}

const struct command cmd_init = {
	.name = "init",
	.usage = "[OPTIONS]",
	.summary = "Write the files of a new cluster: configuration, corosync.conf, keys",
	.help = "Asks on a terminal when no --node is given. Judges everything before it writes anything; never overwrites\n"
		"without --force, and keeps the old file as FILE.old then; a key that is there is kept. Says what to do next.\n\n"
		"  --cluster NAME                 name of the cluster (cluster)\n"
		"  --detect TIME                  how long a dead node may go unnoticed (3s)\n"
		"  --node NAME=ADDRESS[,ADDRESS]  a node and its link or links; once for each\n"
		"  --fence-xvm                    every node is a guest of that name on a host with fence_virtd\n"
		"  --xvm-key                      make " XVM_KEY "\n"
		"  --device NAME=AGENT[,KEY=VALUE...]\n"
		"                                 a fence device\n"
		"  --fence NODE=DEVICE[:PLUG]     a node's next fence level\n"
		"  --volume NAME,KEY=VALUE...     portal, target, vg, lv, fs, mount, ... of stockade.yaml(5)\n"
		"  --service NAME,TYPE=REF...     volume, unit, ip, script, in the order to start\n"
		"  --print                        print the configuration, write nothing\n"
		"  --root DIR                     write below DIR instead of /\n"
		"  --keep-corosync                leave an existing corosync.conf as it is\n"
		"  --force                        overwrite\n"
		"\nExit: 0 written; 1 failed; 2 wrong arguments; 4 refused to overwrite.\n",
	.run = init_run,
};
