/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Orders to other machines, through ssh.
 *
 * What runs there is the one script below, a constant without any single quote, so that it stands in single quotes on the
 * far side's command line. The words behind it are of characters that no shell looks at (key_word()); the key is on stdin.
 * Every order says which boot it is meant for, and is refused by any other machine that ssh might reach meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/shell/boot.h"
#include "lib/shell/loop.h"
#include "lib/shell/spawn.h"
#include "tools/cli.h"
#include "tools/key.h"

#define SSH_MS 45000
#define ASKS_MAX 4

static const char script[] =
	"set -u\n"
	"umask 077\n"
	"PATH=$PATH:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"export PATH\n"
	"LC_ALL=C\n"
	"export LC_ALL\n"
	"op=$1 f=$2 n=$3 boot=$4 conf=$5\n"
	"say() { echo \"stockade-key $*\"; }\n"
	"die() { say \"error $*\"; exit 9; }\n"
	"here=$(cat /proc/sys/kernel/random/boot_id)\n"
	"[ \"$boot\" = any ] || [ \"$boot\" = \"$here\" ] || die \"it is another machine than a moment ago\"\n"
	"dir() {\n"
	"  d=${f%/*}\n"
	"  [ \"$d\" ] || d=/\n"
	"  [ -d \"$d\" ] || mkdir -m 0755 \"$d\" 2>/dev/null || die \"directory $d cannot be made\"\n"
	"  p=$(cd \"$d\" && pwd -P) || die \"there is no directory $d\"\n"
	"  last=1\n"
	"  while :; do\n"
	"    set -- $(stat -c \"%u %a\" \"$p\")\n"
	"    [ \"$1\" = 0 ] || die \"directory $p does not belong to root: chown root $p\"\n"
	"    case $last$2 in\n"
	"    0[1357][0-7][0-7][0-7]) ;;\n"
	"    *[2367]? | *[2367]) die \"others may write to directory $p: chmod go-w $p\" ;;\n"
	"    esac\n"
	"    last=0\n"
	"    [ \"$p\" = / ] && break\n"
	"    p=${p%/*}\n"
	"    [ \"$p\" ] || p=/\n"
	"  done\n"
	"}\n"
	"flush() { sync \"$@\" 2>/dev/null || sync; }\n"
	"own() { chown 0:0 \"$1\" && chmod 600 \"$1\" || die \"owner and mode of $1 cannot be set\"; }\n"
	"take() {\n"
	"  dir\n"
	"  [ -L \"$f\" ] && die \"$f is a symbolic link: put a file there\"\n"
	"  t=$(mktemp \"$d/.stockade-key.XXXXXX\") || die \"no file can be made in $d\"\n"
	"  trap \"rm -f \\\"$t\\\"\" EXIT\n"
	"  trap \"exit 1\" HUP INT TERM PIPE\n"
	"  cat >\"$t\"\n"
	"  [ \"$(wc -c <\"$t\")\" -eq \"$n\" ] || die \"the key came cut short\"\n"
	"  own \"$t\"\n"
	"  flush \"$t\"\n"
	"}\n"
	"case $op in\n"
	"who)\n"
	"  say \"host $(uname -n)\"\n"
	"  say \"boot $here\"\n"
	"  say \"user $(id -u)\"\n"
	"  ip -o addr show 2>/dev/null | while read -r _ _ family a _; do\n"
	"    case $family in inet*) say \"address ${a%%/*}\" ;; esac\n"
	"  done\n"
	"  sed -n \"s/^[^#]*key_file[[:space:]]*=[[:space:]]*\\\"\\([^\\\"]*\\)\\\".*/keyfile \\1/p\" \"$conf\" 2>/dev/null |\n"
	"    while read -r line; do say \"$line\"; done\n"
	"  command -v stockade >/dev/null && say \"has stockade\"\n"
	"  if command -v stockade-virtd >/dev/null; then\n"
	"    say \"has stockade-virtd\"\n"
	"    stockade-virtd --status >/dev/null 2>&1 && say \"runs stockade-virtd\"\n"
	"  fi\n"
	"  say \"done who\"\n"
	"  ;;\n"
	"put | replace)\n"
	"  take\n"
	"  if [ -e \"$f\" ] && cmp -s \"$t\" \"$f\"; then\n"
	"    if [ \"$(stat -c %u:%g:%a \"$f\")\" = 0:0:600 ]; then\n"
	"      say \"done same\"\n"
	"    else\n"
	"      own \"$f\"\n"
	"      say \"done mended\"\n"
	"    fi\n"
	"  elif [ -e \"$f\" ] && [ $op = put ]; then\n"
	"    say \"done differs\"\n"
	"  elif [ -e \"$f\" ]; then\n"
	"    mv -f \"$t\" \"$f\" || die \"$f cannot be replaced\"\n"
	"    flush \"$d\"\n"
	"    say \"done replaced\"\n"
	"  else\n"
	"    ln \"$t\" \"$f\" || die \"$f cannot be made\"\n"
	"    flush \"$d\"\n"
	"    say \"done made\"\n"
	"  fi\n"
	"  ;;\n"
	"swap)\n"
	"  take\n"
	"  if cmp -s \"$t\" \"$f\"; then\n"
	"    cmp -s \"$t\" \"$f.new\" && rm -f \"$f.new\"\n"
	"    say \"done already\"\n"
	"  elif cmp -s \"$t\" \"$f.new\"; then\n"
	"    own \"$f.new\"\n"
	"    mv -f \"$f.new\" \"$f\" || die \"$f cannot be replaced\"\n"
	"    flush \"$d\"\n"
	"    say \"done switched\"\n"
	"  else\n"
	"    die \"$f.new is not the new key\"\n"
	"  fi\n"
	"  ;;\n"
	"drop)\n"
	"  dir\n"
	"  rm -f \"$f.new\" || die \"$f.new cannot be removed\"\n"
	"  flush \"$d\"\n"
	"  say \"done dropped\"\n"
	"  ;;\n"
	"reload)\n"
	"  if command -v stockade-virtd >/dev/null && stockade-virtd --status >/dev/null 2>&1; then\n"
	"    e=$(stockade-virtd --reload 2>&1) || die \"$e\"\n"
	"    say \"done reloaded\"\n"
	"  else\n"
	"    say \"done none\"\n"
	"  fi\n"
	"  ;;\n"
	"answer)\n"
	"  command -v stockade >/dev/null || die \"stockade is not installed there\"\n"
	"  exec stockade key answer --file \"$f\"\n"
	"  ;;\n"
	"*) die \"no such order\" ;;\n"
	"esac\n";

struct far {
	struct loop *loop;
	int status;
	bool timed_out;
	char *out, *err;
	size_t out_len;
};

static void far_done(void *arg, const struct spawn_result *r)
{
	struct far *f = arg;

	f->status = r->status;
	f->timed_out = r->timed_out;
	f->out = malloc(r->out_len + 1);
	f->err = strdup(r->err);
	f->out_len = f->out ? r->out_len : 0;
	if (f->out) {
		memcpy(f->out, r->out, r->out_len);
		f->out[r->out_len] = '\0';
	}
	loop_stop(f->loop, 0);
}

static void far_free(struct far *f)
{
	free(f->out);
	free(f->err);
	f->out = f->err = NULL;
}

/* What ssh itself said last; what to do about it. */
static void ssh_failed(const struct key_peer *p, const struct far *f, char why[KEY_WHY])
{
	char last[200] = "";
	const char *err = f->err ? f->err : "", *remedy = "is sshd running and reachable there?";

	for (const char *at = err; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (*at != '\n' && *at != '@')
			snprintf(last, sizeof(last), "%.*s", (int)strcspn(at, "\r\n"), at);
	if (strstr(err, "IDENTIFICATION HAS CHANGED"))
		remedy = "it shows another host key than the one that is known: another machine? "
			 "If not, compare it on its console and renew it with ssh-keygen -R";
	else if (strstr(err, "Host key verification failed") || strstr(err, "No matching host key"))
		remedy =
			"its host key is not known here: log in once by hand, and compare it with the one on its console";
	else if (strstr(err, "Permission denied"))
		remedy = "root's ssh key is not let in there: ssh-copy-id, or an agent";
	snprintf(why, KEY_WHY, "ssh %.100s: %s; %s", p->ssh,
		 f->timed_out ? "it takes too long"
		 : last[0]    ? last
			      : "it failed",
		 remedy);
}

static int run_there(struct key_run *r, const struct key_peer *p, const char *op, const char *file,
		     const char *boot, const void *in, size_t in_len, struct far *f,
		     char why[KEY_WHY])
{
	const char *conf = r->virtd_conf;
	char *command = NULL, home[300], agent[300], user[80];
	const char *env[4] = { NULL };
	unsigned n_env = 0;

	memset(f, 0, sizeof(*f));
	f->status = -1;
	if (!key_word(p->ssh) || !key_word(file) || !key_word(boot) || !key_word(conf)) {
		snprintf(
			why, KEY_WHY,
			"\"%.100s\", \"%.150s\" or \"%.100s\" has characters that a shell might take for its own; "
			"use a name without them (~/.ssh/config can give one)",
			p->ssh, file, conf);
		return -EINVAL;
	}
	if (asprintf(&command, "exec /bin/sh -c '%s' stockade-key %s %s %zu %s %s", script, op,
		     file, in_len, boot, conf) < 0)
		return -ENOMEM;
	const struct {
		const char *name;
		char *to;
		size_t size;
	} kept[] = { { "HOME", home, sizeof(home) },
		     { "SSH_AUTH_SOCK", agent, sizeof(agent) },
		     { "USER", user, sizeof(user) } };

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		const char *value = getenv(kept[i].name);

		if (value && (size_t)snprintf(kept[i].to, kept[i].size, "%s=%s", kept[i].name,
					      value) < kept[i].size)
			env[n_env++] = kept[i].to;
	}
	const char *argv[40] = { r->ssh };
	unsigned n = 1;

	if (r->ssh_config) {
		argv[n++] = "-F";
		argv[n++] = r->ssh_config;
	}
	static const char *const fixed[] = { "-x",
					     "-a",
					     "-T",
					     "-oBatchMode=yes",
					     "-oStrictHostKeyChecking=yes",
					     "-oConnectTimeout=10",
					     "-oConnectionAttempts=1",
					     "-oServerAliveInterval=5",
					     "-oServerAliveCountMax=3",
					     "-oClearAllForwardings=yes",
					     "-oPermitLocalCommand=no",
					     "-oLogLevel=ERROR",
					     "--" };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		argv[n++] = fixed[i];
	argv[n++] = p->ssh;
	argv[n++] = command;
	const struct spawn_program program = {
		.argv = argv, .in = in, .in_len = in_len, .env = env, .timeout_ms = SSH_MS
	};

	f->loop = loop_new();
	errno = ENOMEM;
	if (!f->loop || !spawn_program(f->loop, &program, far_done, f)) {
		int e = errno;

		snprintf(why, KEY_WHY, "%s: %s; apt-get install openssh-client", r->ssh,
			 strerror(e));
		loop_free(f->loop);
		free(command);
		return e ? -e : -EIO;
	}
	loop_run(f->loop);
	loop_free(f->loop);
	free(command);
	if (f->status < 0 || f->status == 255) {
		ssh_failed(p, f, why);
		return -ECONNREFUSED;
	}
	return 0;
}

static bool same_name(const char *host, const char *name)
{
	size_t len = strcspn(host, ".");

	return strcmp(host, name) == 0 || (strlen(name) == len && strncmp(host, name, len) == 0);
}

static bool has_address(const struct key_facts *f, const char *address)
{
	for (unsigned i = 0; i < f->n_addresses; i++)
		if (strcmp(f->address[i], address) == 0)
			return true;
	return false;
}

/* Nodes are named, and have an address; a hypervisor must at least not be one of them. */
static bool is_meant(struct key_run *r, const struct key_peer *p, const struct key_facts *f,
		     char why[KEY_WHY])
{
	bool address = p->address[0] && has_address(f, p->address);
	char ours[BOOT_ID_TEXT];
	uint8_t theirs[BOOT_ID_BYTES];

	if (f->uid != 0) {
		snprintf(why, KEY_WHY,
			 "ssh %.100s logs in as user %d, not as root; use root@%.100s", p->ssh,
			 f->uid, p->ssh);
		return false;
	}
	if (!p->hypervisor && !same_name(f->host, p->name) && !address) {
		snprintf(
			why, KEY_WHY,
			"ssh %.100s reaches %.60s, which has neither the name %.63s nor its address %.63s; "
			"nothing was sent to it. Mend ~/.ssh/config or DNS, or say --ssh-host %.63s=HOST",
			p->ssh, f->host, p->name, p->address[0] ? p->address : "(none)", p->name);
		return false;
	}
	if (p->hypervisor && p->address[0] && !address) {
		snprintf(
			why, KEY_WHY,
			"ssh %.100s reaches %.60s, which does not have the address %.63s that fencing asks; "
			"nothing was sent to it. Say --hypervisor SSH-HOST=ADDRESS",
			p->ssh, f->host, p->address);
		return false;
	}
	if (incarnation_boot_parse(f->boot, theirs) < 0) {
		snprintf(why, KEY_WHY, "ssh %.100s: it does not say which boot it runs", p->ssh);
		return false;
	}
	if (boot_id_text(ours) == 0 && strcmp(ours, f->boot) == 0) {
		snprintf(why, KEY_WHY, "ssh %.100s reaches this very machine", p->ssh);
		return false;
	}
	for (unsigned i = 0; i < r->n; i++)
		if (&r->peer[i] != p && r->peer[i].identified &&
		    strcmp(r->peer[i].facts.boot, f->boot) == 0) {
			snprintf(why, KEY_WHY,
				 "ssh %.100s and ssh %.100s reach the same machine, %.60s", p->ssh,
				 r->peer[i].ssh, f->host);
			return false;
		}
	return true;
}

int key_identify(struct key_run *r, struct key_peer *p, char why[KEY_WHY])
{
	struct key_facts facts;
	struct far f;

	if (p->identified || p->self)
		return 0;
	int e = run_there(r, p, "who", p->file[0] ? p->file : r->file, "any", NULL, 0, &f, why);

	if (e < 0) {
		far_free(&f);
		return e;
	}
	bool ran = key_facts_read(f.out ? f.out : "", &facts);

	far_free(&f);
	if (!ran || strcmp(facts.done, "who") != 0) {
		snprintf(why, KEY_WHY,
			 "ssh %.100s: what runs there is no POSIX shell, or a forced command",
			 p->ssh);
		return -EPROTO;
	}
	if (!is_meant(r, p, &facts, why))
		return -EPERM;
	p->facts = facts;
	p->identified = true;
	if (p->file[0] == '\0') {
		if (p->hypervisor && facts.n_key_files > 1) {
			snprintf(
				why, KEY_WHY,
				"%.100s names several key files; say which: --hypervisor-file FILE",
				r->virtd_conf);
			return -EINVAL;
		}
		snprintf(p->file, sizeof(p->file), "%s",
			 p->hypervisor && facts.n_key_files == 1 ? facts.key_file[0] : r->file);
	}
	return 0;
}

/* The same on this machine. */
static int order_here(struct key_peer *p, enum key_order order, const char *file,
		      const struct key_bytes *k, char why[KEY_WHY])
{
	static struct key_file now, next;
	char second[CONFIG_PATH_MAX + 8];
	const char *done = "same";
	int r = 0;

	snprintf(second, sizeof(second), "%s.new", file);
	key_file_read(file, &now);
	key_file_read(second, &next);
	switch (order) {
	case KEY_PUT:
	case KEY_REPLACE:
		if (now.there && k->len && key_equal(&now.key, k))
			break;
		if (now.there && order == KEY_PUT) {
			done = "differs";
			break;
		}
		done = now.there ? "replaced" : "made";
		r = key_file_write(file, k, order == KEY_REPLACE, why, KEY_WHY);
		break;
	case KEY_SWAP:
		done = "already";
		if (key_equal(&now.key, k)) {
			if (key_equal(&next.key, k))
				unlink(second);
			break;
		}
		done = "switched";
		if (!key_equal(&next.key, k)) {
			snprintf(why, KEY_WHY, "%s is not the new key", second);
			r = -EINVAL;
		} else {
			r = key_file_rename(second, file);
			if (r < 0)
				snprintf(why, KEY_WHY, "%s: %s", file, strerror(-r));
		}
		break;
	case KEY_DROP:
		done = "dropped";
		if (unlink(second) < 0 && errno != ENOENT) {
			r = -errno;
			snprintf(why, KEY_WHY, "%s: %s", second, strerror(errno));
		}
		break;
	case KEY_RELOAD: done = "none"; break;
	}
	key_forget(&now.key);
	key_forget(&next.key);
	snprintf(p->facts.done, sizeof(p->facts.done), "%s", done);
	return r;
}

int key_order(struct key_run *r, struct key_peer *p, enum key_order order, const char *file,
	      const struct key_bytes *k, char why[KEY_WHY])
{
	static const char *const names[] = { [KEY_PUT] = "put",
					     [KEY_REPLACE] = "replace",
					     [KEY_SWAP] = "swap",
					     [KEY_DROP] = "drop",
					     [KEY_RELOAD] = "reload" };
	struct key_facts facts;
	struct far f;

	if (p->self)
		return order_here(p, order, file, k, why);
	int e = key_identify(r, p, why);

	if (e == 0) {
		e = run_there(r, p, names[order], file, p->facts.boot, k ? k->bytes : NULL,
			      k ? k->len : 0, &f, why);
		bool ran = key_facts_read(f.out ? f.out : "", &facts);

		if (e == 0 && ran && facts.error[0]) {
			snprintf(why, KEY_WHY, "%s", facts.error);
			e = -EIO;
		} else if (e == 0 && (!ran || !facts.done[0])) {
			snprintf(why, KEY_WHY, "it did not say what it did (exit %d): %.200s",
				 f.status, f.err && f.err[0] ? f.err : "no message");
			e = -EIO;
		}
		if (e == 0)
			memcpy(p->facts.done, facts.done, sizeof(facts.done));
		far_free(&f);
	}
	return e;
}

/* --- the echo of files ------------------------------------------------------------------------------------- */

static int answer_one(const char *file, const uint8_t ask[ECHO_BYTES], uint8_t out[ECHO_BYTES])
{
	static struct key_file now, next;
	char second[CONFIG_PATH_MAX + 8];
	struct echo_answer a = { .role = ECHO_FILE };
	struct echo_key key[2];
	uint8_t slot_of[2], id[ECHO_ID_BYTES], nonce[ECHO_NONCE_BYTES];
	int r;

	snprintf(second, sizeof(second), "%s.new", file);
	key_file_read(second, &next);
	key_file_read(file, &now);
	if (now.key.len) {
		slot_of[a.keys] = 0;
		key[a.keys++] = key_echo(&now.key);
	}
	if (next.key.len && !key_equal(&now.key, &next.key)) {
		slot_of[a.keys] = 1;
		key[a.keys++] = key_echo(&next.key);
	}
	gethostname(a.host, sizeof(a.host) - 1);
	r = echo_check(ask, ECHO_BYTES, key, a.keys, id);
	if (r >= 0) {
		a.slot = slot_of[r];
		r = getrandom(nonce, sizeof(nonce), 0) == sizeof(nonce)
			    ? echo_answer(out, ask, &key[r], &a, nonce)
			    : -EIO;
	} else if (r == -EKEYREJECTED) {
		echo_refuse(out, ask, a.keys ? ECHO_OTHER_KEY : ECHO_NO_KEY);
		r = 0;
	}
	key_forget(&now.key);
	key_forget(&next.key);
	return r;
}

int key_answer(const char *file)
{
	uint8_t ask[ECHO_BYTES], out[ECHO_BYTES];

	for (unsigned i = 0; i < ASKS_MAX && fread(ask, sizeof(ask), 1, stdin) == 1; i++)
		if (answer_one(file, ask, out) < 0 || fwrite(out, sizeof(out), 1, stdout) != 1)
			return EXIT_FAILED;
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

int key_ask_files(struct key_run *r, struct key_peer *p, const char *file,
		  const struct key_bytes *const *key, unsigned n, enum echo_verdict *verdict,
		  struct echo_answer *answer, char why[KEY_WHY])
{
	uint8_t asks[ASKS_MAX][ECHO_BYTES], nonce[ASKS_MAX][ECHO_NONCE_BYTES];
	uint8_t got[ASKS_MAX][ECHO_BYTES];
	struct far f = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct echo_key k = key_echo(key[i]);

		if (getrandom(nonce[i], ECHO_NONCE_BYTES, 0) != ECHO_NONCE_BYTES ||
		    echo_ask(asks[i], &k, nonce[i]) < 0)
			return -EIO;
	}
	if (p->self) {
		for (unsigned i = 0; i < n; i++)
			if (answer_one(file, asks[i], got[i]) < 0)
				return -EIO;
	} else {
		int e = key_identify(r, p, why);

		if (e == 0)
			e = run_there(r, p, "answer", file, p->facts.boot, asks,
				      (size_t)n * ECHO_BYTES, &f, why);
		if (e < 0) {
			far_free(&f);
			return e;
		}
		if (f.out_len != (size_t)n * ECHO_BYTES) {
			struct key_facts facts;

			key_facts_read(f.out ? f.out : "", &facts);
			snprintf(
				why, KEY_WHY, "%.200s",
				facts.error[0] ? facts.error
				: f.err && f.err[0]
					? f.err
					: "stockade there does not know `key answer`: the same version?");
			far_free(&f);
			return -EPROTO;
		}
		memcpy(got, f.out, f.out_len);
		far_free(&f);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct echo_key k = key_echo(key[i]);

		verdict[i] = echo_judge(got[i], ECHO_BYTES, &k,
					(const uint8_t(*)[ECHO_NONCE_BYTES])nonce[i], 1,
					&answer[i]);
	}
	return 0;
}
