/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stockade key: the key of fence_xvm and the hypervisors, from its making to its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/shell/loop.h"
#include "tools/cli.h"
#include "tools/key.h"

#define TIMEOUT_MS 2000
#define VIRTD_CONF "/etc/fence_virt.conf"
#define PAUSE_MORE_S 5

int key_say(const char *what, const char *remedy)
{
	print_wrapped(stderr, "stockade: ", "  ", what);
	if (remedy)
		print_wrapped(stderr, "  to do: ", "         ", remedy);
	return EXIT_FAILED;
}

void key_progress(const struct key_run *r, const char *host, const char *fmt, ...)
{
	va_list ap;

	if (r->json)
		return;
	va_start(ap, fmt);
	if (host)
		printf("  %s: ", host);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

/* --- targets ------------------------------------------------------------------------------------------------ */

static struct {
	unsigned n_hypervisors, n_ssh_hosts;
	const char *hypervisor[KEY_HOSTS_MAX], *ssh_host[KEY_PEERS_MAX];
} given;

static void each_hypervisor(const char *value)
{
	if (given.n_hypervisors < KEY_HOSTS_MAX)
		given.hypervisor[given.n_hypervisors++] = value;
}

static void each_ssh_host(const char *value)
{
	if (given.n_ssh_hosts < KEY_PEERS_MAX)
		given.ssh_host[given.n_ssh_hosts++] = value;
}

/* "NAME=HOST" was given for this node? */
static const char *ssh_of(const char *node)
{
	size_t len = strlen(node);

	for (unsigned i = 0; i < given.n_ssh_hosts; i++)
		if (strncmp(given.ssh_host[i], node, len) == 0 && given.ssh_host[i][len] == '=')
			return given.ssh_host[i] + len + 1;
	return node;
}

/* Numeric, so that an answer can be told from another's. */
static bool address_of(const char *host, char *to, size_t size)
{
	const char *at = strrchr(host, '@');
	struct addrinfo *found = NULL;
	bool ok = getaddrinfo(at ? at + 1 : host, NULL, NULL, &found) == 0 &&
		  getnameinfo(found->ai_addr, found->ai_addrlen, to, (socklen_t)size, NULL, 0,
			      NI_NUMERICHOST) == 0;

	if (found)
		freeaddrinfo(found);
	return ok;
}

static int add_hypervisor(struct key_run *r, const char *text, const char *file)
{
	const char *equals = strchr(text, '=');
	struct key_peer *p = &r->peer[r->n];

	if (r->n == KEY_PEERS_MAX)
		return usage_error("more than %d hosts", KEY_PEERS_MAX);
	char ssh[sizeof(p->ssh)];

	snprintf(ssh, sizeof(ssh), "%.*s", equals ? (int)(equals - text) : 200, text);
	const char *at = strrchr(ssh, '@');

	memset(p, 0, sizeof(*p));
	p->hypervisor = true;
	snprintf(p->ssh, sizeof(p->ssh), "%s", ssh);
	snprintf(p->name, sizeof(p->name), "%.63s", at ? at + 1 : ssh);
	if (!address_of(equals ? equals + 1 : p->ssh, p->address, sizeof(p->address)))
		return usage_error("hypervisor %s: it has no address; say --hypervisor %s=ADDRESS",
				   p->name, p->ssh);
	snprintf(p->file, sizeof(p->file), "%s", file ? file : "");
	r->n++;
	return 0;
}

static void add_node(struct key_run *r, const struct config_node *n, bool self)
{
	struct key_peer *p = &r->peer[r->n];

	if (r->n == KEY_PEERS_MAX)
		return;
	memset(p, 0, sizeof(*p));
	p->self = self;
	snprintf(p->name, sizeof(p->name), "%s", n->name);
	snprintf(p->ssh, sizeof(p->ssh), "%s", ssh_of(n->name));
	snprintf(p->file, sizeof(p->file), "%s", r->file);
	if (!address_of(n->link[0], p->address, sizeof(p->address)))
		p->address[0] = '\0';
	r->n++;
}

static const char *device_file(const struct config_device *d)
{
	return key_param(d, "key_file", VIRT_KEY_FILE);
}

/* The key file: as given, else the one that the configuration's devices use. */
static int choose_file(struct key_run *r, const char *file)
{
	static const struct config_device usual = { .agent = "fence_xvm" };

	for (unsigned i = 0; r->cfg && i < r->cfg->n_devices; i++) {
		const struct config_device *d = &r->cfg->device[i];

		if (!key_device(d))
			continue;
		if (!file)
			file = device_file(d);
		if (!r->device && strcmp(file, device_file(d)) == 0)
			r->device = d;
	}
	file = file ? file : VIRT_KEY_FILE;
	if (file[0] != '/' || strlen(file) > CONFIG_PATH_MAX - 20)
		return usage_error(
			"the key file must be an absolute path, shorter than %d bytes: %s",
			CONFIG_PATH_MAX - 20, file);
	snprintf(r->file, sizeof(r->file), "%s", file);
	r->has_where = (r->device || given.n_hypervisors > 0) &&
		       key_where_of(r->device ? r->device : &usual, &r->where) == 0;
	return 0;
}

/* Several keys in one configuration: which one is meant is for the operator to say. */
static int one_file(const struct key_run *r, const char *file)
{
	const char *other = NULL;

	for (unsigned i = 0; r->cfg && !file && i < r->cfg->n_devices; i++)
		if (key_device(&r->cfg->device[i]) &&
		    strcmp(device_file(&r->cfg->device[i]), r->file) != 0)
			other = device_file(&r->cfg->device[i]);
	return other ? usage_error("fence devices use several keys: say --file %s or --file %s",
				   r->file, other)
		     : 0;
}

static bool is_named(const char *name, int n, char **names)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return n == 0;
}

/*
 * @names: only these; none: all. Hypervisors: those given, else those that the fence device names. This machine is the last
 * of the nodes: its files tell the keys apart for as long as a rotation goes on.
 */
static int choose_peers(struct key_run *r, int n, char **names, const char *hypervisor_file)
{
	const struct config_node *self = r->cfg ? config_self(r->cfg, 0) : NULL;
	char host[CONFIG_NAME_MAX];
	int e = 0;

	for (unsigned i = 0; i < given.n_hypervisors && e == 0; i++)
		e = add_hypervisor(r, given.hypervisor[i], hypervisor_file);
	for (unsigned i = 0;
	     given.n_hypervisors == 0 && r->has_where && i < r->where.n_hosts && e == 0; i++)
		if (is_named(r->where.host[i], n, names))
			e = add_hypervisor(r, r->where.host[i], hypervisor_file);
	if (e)
		return e;
	for (unsigned i = 0; r->cfg && i < r->cfg->n_nodes; i++)
		if (&r->cfg->node[i] != self && is_named(r->cfg->node[i].name, n, names))
			add_node(r, &r->cfg->node[i], false);
	for (int i = 0; i < n; i++) {
		bool known = false;

		for (unsigned k = 0; k < r->n; k++)
			known |= strcmp(r->peer[k].name, names[i]) == 0;
		if (!known)
			return usage_error(
				"%s is no other node of %s; a hypervisor is named by --hypervisor %s",
				names[i], cli_config_path, names[i]);
	}
	if (self) {
		add_node(r, self, true);
	} else if (r->n < KEY_PEERS_MAX && gethostname(host, sizeof(host)) == 0) {
		struct key_peer *p = &r->peer[r->n++];

		memset(p, 0, sizeof(*p));
		p->self = true;
		snprintf(p->name, sizeof(p->name), "%.63s", host);
		snprintf(p->file, sizeof(p->file), "%s", r->file);
	}
	return 0;
}

/* --- new ---------------------------------------------------------------------------------------------------- */

int key_new_run(struct key_run *r, bool replace, size_t bytes)
{
	static struct key_file now;
	static struct key_bytes k;
	char why[KEY_WHY] = "", print[ECHO_FINGERPRINT_TEXT], old[CONFIG_PATH_MAX + 8];
	struct key_state state;
	int e;

	if (key_state_read(r->file, &state) != 0) {
		key_say("a rotation of this key is under way",
			"stockade key rotate goes on with it, stockade key rotate --abort goes back");
		return EXIT_REFUSED;
	}
	key_file_read(r->file, &now);
	if (now.there && !replace) {
		key_forget(&now.key);
		snprintf(why, sizeof(why), "%s is there already; it is left as it is", r->file);
		key_say(why,
			"stockade key show tells about it; stockade key rotate changes it without a gap; --replace "
			"puts another one in its place at once, and nothing can be fenced until it is everywhere");
		return EXIT_REFUSED;
	}
	e = key_random(&k, bytes);
	if (e == 0 && now.key.len > 0) { /* what was in use can be had back */
		snprintf(old, sizeof(old), "%s.old", r->file);
		e = key_file_write(old, &now.key, true, why, sizeof(why));
	}
	if (e == 0)
		e = key_file_write(r->file, &k, replace, why, sizeof(why));
	const struct echo_key echo = key_echo(&k);

	if (e == 0)
		echo_fingerprint(&echo, print);
	key_forget(&k);
	if (e < 0) {
		key_forget(&now.key);
		return key_say(why[0] ? why : strerror(-e), NULL);
	}
	if (r->json) {
		print_json(json_pack("{s:i,s:b,s:s,s:i,s:s,s:b}", "proto", 1, "ok", 1, "file",
				     r->file, "bytes", (int)bytes, "fingerprint", print, "replaced",
				     now.key.len > 0));
	} else {
		printf("%s: %zu random bytes, for root alone, fingerprint %s\n", r->file, bytes,
		       print);
		if (now.key.len > 0)
			printf("the one before is %s\n", old);
		puts("Now: stockade key push copies it to nodes and hypervisors, stockade key verify proves that all hold it");
	}
	key_forget(&now.key);
	return EXIT_OK;
}

/* --- show --------------------------------------------------------------------------------------------------- */

/* A use may have parameters of its own: they go before the device's. */
static const char *use_file(const struct config *cfg, const struct config_fence_use *use)
{
	for (unsigned i = 0; i < use->n_params; i++)
		if (strcmp(cfg->use_param[use->first_param + i].key, "key_file") == 0)
			return cfg->use_param[use->first_param + i].value;
	return device_file(&cfg->device[use->device]);
}

/* "node1 level 1 (vm)" for each use of a fence device with this key; and for attestation. */
static json_t *uses_of(const struct key_run *r)
{
	json_t *uses = json_array();

	for (unsigned n = 0; r->cfg && n < r->cfg->n_nodes; n++)
		for (unsigned l = 0; l < r->cfg->node[n].n_levels; l++)
			for (unsigned u = 0; u < r->cfg->node[n].level[l].n; u++) {
				const struct config_fence_use *use =
					&r->cfg->node[n].level[l].use[u];
				const struct config_device *d = &r->cfg->device[use->device];

				if (key_device(d) && strcmp(use_file(r->cfg, use), r->file) == 0)
					json_array_append_new(
						uses,
						json_pack("{s:s,s:i,s:s,s:b}", "node",
							  r->cfg->node[n].name, "level", (int)l + 1,
							  "device", d->name, "attest", d->attest));
			}
	return uses;
}

static json_t *warnings_of(const struct key_run *r, const struct key_file *f, bool rotating,
			   bool *ret_bad)
{
	json_t *list = json_array();
	struct key_warnings w;
	char why[KEY_WHY];

	key_warn(f, &w);
	for (unsigned i = 0; i < w.n; i++) {
		*ret_bad |= w.v[i].bad;
		json_array_append_new(list, json_pack("{s:s,s:s?,s:b}", "text", w.v[i].text,
						      "remedy", w.v[i].remedy, "bad", w.v[i].bad));
	}
	snprintf(why, sizeof(why), "%s.old", r->file);
	if (!rotating && access(why, F_OK) == 0)
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:b}", "text",
					"the key before still lies beside it, as KEY.old", "remedy",
					"remove it once stockade key verify is content", "bad", 0));
	if (f->there && key_dir_check(r->file, false, why, sizeof(why)) < 0) {
		*ret_bad = true;
		json_array_append_new(list,
				      json_pack("{s:s,s:n,s:b}", "text", why, "remedy", "bad", 1));
	}
	return list;
}

static json_t *rotation_of(const struct key_run *r, const struct key_file *next)
{
	struct key_state s;
	int e = key_state_read(r->file, &s);

	if (e > 0)
		return json_pack("{s:b,s:i,s:i,s:s,s:b,s:s,s:s,s:s}", "here", 1, "stage",
				 (int)s.stage, "stages", PLAN_STAGES, "text", s.text, "back",
				 s.back, "began", s.began, "before", s.before, "after", s.after);
	if (e < 0 || next->there)
		return json_pack(
			"{s:b,s:s}", "here", 0, "text",
			e < 0 ? "FILE.rotation cannot be read"
			      : "KEY.new lies beside it: a rotation is under way, begun on another machine");
	return NULL;
}

static void print_uses(const json_t *uses)
{
	char text[1024] = "";
	json_t *u;
	size_t i, len = 0;

	json_array_foreach (uses, i, u)
		if (len < sizeof(text) - 1)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s%s level %d (%s)", len ? ", " : "",
						js_text(u, "node", ""), (int)js_int(u, "level", 0),
						js_text(u, "device", ""));
	print_wrapped(stdout, "  used for     ", "               ",
		      text[0] ? text : "nothing in this configuration");
}

static void print_show(const struct key_run *r, const struct key_file *f, const char *print,
		       const json_t *uses, const json_t *warnings, const json_t *rotation)
{
	char age[DURATION_TEXT];
	json_t *w;
	size_t i;

	printf("%s%s%s\n", bold(), r->file, plain());
	printf("  fingerprint  %s\n", print[0] ? print : "none");
	printf("  size         %lld bytes\n", (long long)f->size);
	printf("  mode         %04o, user %u, group %u\n", f->mode & 07777, f->uid, f->gid);
	printf("  age          %s\n", duration_text(f->age_s * 1000, age, sizeof(age)));
	print_uses(uses);
	if (rotation && js_true(rotation, "here")) {
		printf("  rotation     begun %s, %sstage %d of %d: ",
		       js_text(rotation, "began", "?"),
		       js_true(rotation, "back") ? "being undone, " : "",
		       (int)js_int(rotation, "stage", 0), PLAN_STAGES);
		printf("%s\n               from %s to %s; stockade key rotate%s goes on\n",
		       js_text(rotation, "text", ""), js_text(rotation, "before", "?"),
		       js_text(rotation, "after", "?"),
		       js_true(rotation, "back") ? " --abort" : "");
	} else if (rotation) {
		print_wrapped(stdout, "  rotation     ", "               ",
			      js_text(rotation, "text", ""));
	}
	json_array_foreach (warnings, i, w) {
		print_wrapped(stdout, js_true(w, "bad") ? "  ! " : "  - ", "    ",
			      js_text(w, "text", ""));
		if (js_str(w, "remedy"))
			print_wrapped(stdout, "    to do: ", "           ", js_str(w, "remedy"));
	}
}

int key_show_run(struct key_run *r, bool peers)
{
	static struct key_file now, next;
	char second[CONFIG_PATH_MAX + 8], print[ECHO_FINGERPRINT_TEXT] = "", why[KEY_WHY], mode[8];
	bool bad = false;
	unsigned n_bad = 0, n_second = 0;

	snprintf(second, sizeof(second), "%s.new", r->file);
	key_file_read(second, &next);
	if (key_file_read(r->file, &now) < 0 || !now.there) {
		snprintf(why, sizeof(why), "%s: %s", r->file,
			 now.error ? strerror(now.error) : "there is no key");
		return key_say(
			why,
			now.error == EACCES
				? "run it as root"
				: "stockade key new makes one; or stockade key push where it is");
	}
	if (now.key.len > 0) {
		const struct echo_key k = key_echo(&now.key);

		echo_fingerprint(&k, print);
	}
	snprintf(mode, sizeof(mode), "%04o", now.mode & 07777);
	json_t *uses = uses_of(r), *rotation = rotation_of(r, &next);
	json_t *warnings = warnings_of(r, &now, rotation != NULL, &bad);
	json_t *hosts = peers && now.key.len
				? key_verify_all(r, &now.key, &next.key, &n_bad, &n_second)
				: NULL;

	key_forget(&now.key);
	key_forget(&next.key);
	if (r->json) {
		print_json(json_pack(
			"{s:i,s:b,s:s,s:s?,s:I,s:s,s:i,s:i,s:I,s:o,s:o,s:o?,s:o?}", "proto", 1,
			"ok", !bad && n_bad == 0, "file", r->file, "fingerprint",
			print[0] ? print : NULL, "bytes", (json_int_t)now.size, "mode", mode, "uid",
			(int)now.uid, "gid", (int)now.gid, "age_ms", (json_int_t)now.age_s * 1000,
			"uses", uses, "warnings", warnings, "rotation", rotation, "hosts", hosts));
	} else {
		print_show(r, &now, print, uses, warnings, rotation);
		if (hosts)
			key_verify_print(hosts);
		json_decref(uses);
		json_decref(warnings);
		json_decref(rotation);
		json_decref(hosts);
	}
	return bad || n_bad > n_second ? EXIT_FAILED
	       : n_second || rotation  ? EXIT_DEGRADED
				       : EXIT_OK;
}

/* --- the command -------------------------------------------------------------------------------------------- */

static bool size_given(const char *text, size_t *ret)
{
	char *end;
	unsigned long n;

	if (!text)
		return true;
	n = strtoul(text, &end, 10);
	*ret = n;
	return *text >= '0' && *text <= '9' && !*end && n >= KEY_BYTES_MIN && n <= VIRT_KEY_MAX;
}

/* As long as a run of the agent that began with the old key may wait for its answer. */
static uint64_t pause_of(const struct key_run *r)
{
	int s = r->device ? atoi(key_param(r->device, "timeout", "30")) : 30;

	return (uint64_t)((s > 0 ? s : 30) + PAUSE_MORE_S) * 1000;
}

static int read_config_for(struct key_run *r, bool needed)
{
	r->cfg = config_read(cli_config_path, NULL);
	if (r->cfg)
		return 0;
	if (errno == ENOENT && !needed)
		return 0;
	if (errno == ENOENT)
		return usage_error("there is no %s, which names the nodes; --config FILE",
				   cli_config_path);
	config_free(config_read(cli_config_path, stderr));
	return EXIT_USAGE;
}

static int key_run(int argc, char **argv)
{
	static struct key_run r;
	const char *file = NULL, *ssh = "ssh", *ssh_config = NULL, *conf = VIRTD_CONF,
		   *bytes = NULL;
	const char *timeout = NULL, *pause = NULL, *hypervisor_file = NULL;
	bool json = false, replace = false, peers = false, abort_it = false;
	uint64_t pause_ms = 0;
	size_t n_bytes = KEY_BYTES_DEFAULT;
	const struct option_spec spec[] = {
		{ "--file", NULL, &file, NULL },
		{ "--bytes", NULL, &bytes, NULL },
		{ "--replace", &replace, NULL, NULL },
		{ "--peers", &peers, NULL, NULL },
		{ "--hypervisor", NULL, NULL, each_hypervisor },
		{ "--hypervisor-file", NULL, &hypervisor_file, NULL },
		{ "--ssh-host", NULL, NULL, each_ssh_host },
		{ "--ssh", NULL, &ssh, NULL },
		{ "--ssh-config", NULL, &ssh_config, NULL },
		{ "--virtd-conf", NULL, &conf, NULL },
		{ "--timeout", NULL, &timeout, NULL },
		{ "--pause", NULL, &pause, NULL },
		{ "--abort", &abort_it, NULL, NULL },
		{ "--json", &json, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int e;

	if (options_parse(&argc, argv, spec))
		return EXIT_USAGE;
	const char *what = argc > 1 ? argv[1] : "";
	bool is_new = strcmp(what, "new") == 0, show = strcmp(what, "show") == 0,
	     push = strcmp(what, "push") == 0, verify = strcmp(what, "verify") == 0,
	     rotate = strcmp(what, "rotate") == 0, answer = strcmp(what, "answer") == 0;

	if (!(is_new || show || push || verify || rotate || answer))
		return usage_error("expected: stockade key new, show, push, verify or rotate");
	if (argc > 2 && !push && !verify)
		return usage_error("key %s takes no %s", what, argv[2]);
	if (answer)
		return key_answer(file ? file : VIRT_KEY_FILE);
	r.json = json;
	r.ssh = ssh;
	r.ssh_config = ssh_config;
	r.virtd_conf = conf;
	r.timeout_ms = TIMEOUT_MS;
	if (timeout && (!time_parse(timeout, &r.timeout_ms) || r.timeout_ms > 600000))
		return usage_error("--timeout: \"%s\" is no time; for example 5s", timeout);
	if (pause && (!time_parse(pause, &pause_ms) || pause_ms > 3600000))
		return usage_error("--pause: \"%s\" is no time; for example 35s", pause);
	if (!size_given(bytes, &n_bytes))
		return usage_error("--bytes: from %d to %d; the stock programs read no more",
				   KEY_BYTES_MIN, VIRT_KEY_MAX);
	if (geteuid() != 0)
		return usage_error("the key is root's: run this as root");
	e = read_config_for(&r, false);
	if (e == 0)
		e = choose_file(&r, file);
	if (e == 0)
		e = one_file(&r, file);
	if (e == 0 && !is_new)
		e = choose_peers(&r, argc - 2, argv + 2, hypervisor_file);
	if (e == 0)
		e = is_new   ? key_new_run(&r, replace, n_bytes)
		    : show   ? key_show_run(&r, peers)
		    : push   ? key_push_run(&r, replace, argc > 2)
		    : verify ? key_verify_run(&r)
			     : key_rotate_run(&r, abort_it, pause ? pause_ms : pause_of(&r),
					      n_bytes);
	config_free(r.cfg);
	return e;
}

const struct command cmd_key = {
	.name = "key",
	.usage = "new | show | push [HOST...] | verify [HOST...] | rotate",
	.summary = "Make the fence_xvm key, copy it, prove that all hold it, change it",
	.help = "  new      make one: random, for root alone, never over another one unless told\n"
		"  show     fingerprint, place, mode, age, what uses it, what is wrong with it, a rotation under way; never the key\n"
		"  push     copy it to nodes and hypervisors by ssh, after a look at who answers there\n"
		"  verify   do nodes and hypervisors hold the same? Proven by a signed echo, the key is not sent\n"
		"  rotate   another key everywhere, with both valid in between; run it again after an interruption\n\n"
		"  --file FILE           instead of the key file that the configuration's fence devices use\n"
		"  --hypervisor HOST[=ADDRESS]\n"
		"                        a hypervisor, as ssh knows it; ADDRESS is asked; several times for several; without: those that\n"
		"                        the fence device names (hypervisors, ip)\n"
		"  --hypervisor-file FILE  its key file, instead of the one that its fence_virt.conf names\n"
		"  --virtd-conf FILE     its fence_virt.conf\n"
		"  --ssh-host NODE=HOST  what ssh shall be given for a node, instead of its name\n"
		"  --ssh PROGRAM         instead of ssh\n"
		"  --ssh-config FILE     for ssh -F\n"
		"  --timeout TIME        wait so long for answers to an echo (2s)\n"
		"  --replace             new, push: over another key too\n"
		"  --bytes N             new, rotate: 32 to 4096 (4096)\n"
		"  --peers               show: ask nodes and hypervisors too, as verify does\n"
		"  --pause TIME          rotate: between the last change and the drop of a key (the agent's timeout and 5 s)\n"
		"  --abort               rotate: back to the key before; until a hypervisor has dropped it\n"
		"  --json                for programs\n"
		"\nExit: 0 done, all hold the same; 1 it failed, or a host does not; 2 wrong arguments; 4 refused: there is\n"
		"another key, or another machine; 5 a rotation is under way, or waits for a host.\n",
	.run = key_run,
};
