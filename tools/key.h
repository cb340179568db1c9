/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tools/key.h - what the parts of `stockade key` share. The key itself is shown by none of them, nor put into any argument.
 *
 *   cmd_key.c     the command, its targets; new, show, answer     key_words.c  pure: what is weak, what may be a word of a command
 *   key_file.c    key files on this machine                       key_plan.c   pure: the order of a rotation
 *   key_ask.c     hypervisors, by the echo                        key_verify.c do all hold the same?
 *   key_remote.c  other machines, by ssh                          key_push.c   copies it
 *   key_state.c   a rotation that is under way                    key_rotate.c changes it
 */
#ifndef STOCKADE_KEY_H
#define STOCKADE_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"
#include "lib/shell/config.h"
#include "tools/key_ask.h"
#include "tools/key_plan.h"

#define KEY_BYTES_DEFAULT VIRT_KEY_MAX
#define KEY_BYTES_MIN 32
#define KEY_WHY 512
#define KEY_FACT 128

/* --- files of this machine (key_file.c) -------------------------------------------------------------------- */

struct key_bytes {
	size_t len; /* 0: none */
	uint8_t bytes[VIRT_KEY_MAX];
};

struct key_file {
	bool there;
	int error; /* of looking at it; 0: none */
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permission bits, and what it is */
	off_t size;  /* of the file; only the first VIRT_KEY_MAX bytes count */
	uint64_t age_s;
	struct key_bytes key;
};

/* Look, and read what counts. Return: 0, also when there is none; -errno with file->error set. */
int key_file_read(const char *path, struct key_file *ret);
void key_forget(struct key_bytes *k); /* wipes it */
bool key_equal(const struct key_bytes *a, const struct key_bytes *b);
struct echo_key key_echo(const struct key_bytes *k); /* borrows */

/* The directory of @path: root's (or ours), closed to the others up to /; is made when only it is missing. 0, or -errno and @why. */
int key_dir_check(const char *path, bool make, char *why, size_t why_len);

/**
 * key_file_write() - whole or not at all: mode 0600, ours, on the disk when it returns.
 * @replace: over what is there; else -EEXIST
 */
int key_file_write(const char *path, const struct key_bytes *k, bool replace, char *why,
		   size_t why_len);
int key_file_rename(const char *from, const char *to); /* at once, and on the disk; 0, -errno */
int key_random(struct key_bytes *k, size_t len);       /* from getrandom() */

/* --- pure (key_words.c) ------------------------------------------------------------------------------------ */

#define KEY_WARNINGS_MAX 8
struct key_warnings {
	unsigned n;
	struct {
		const char *text, *remedy;
		bool bad; /* must be mended: else worth knowing */
	} v[KEY_WARNINGS_MAX];
};
/* What speaks against a key file that is there. */
void key_warn(const struct key_file *f, struct key_warnings *ret);

/* May it be a word of a command on another machine, without any quoting? [A-Za-z0-9._/:@%+,=-], no '-' first, not empty. */
bool key_word(const char *text);

#define KEY_ADDRESSES_MAX 32
struct key_facts { /* what another machine says of itself */
	char host[KEY_FACT], boot[KEY_FACT];
	int uid; /* -1: it did not say */
	unsigned n_addresses;
	char address[KEY_ADDRESSES_MAX][KEY_HOST_TEXT];
	unsigned n_key_files; /* that its fence_virt.conf names */
	char key_file[4][CONFIG_PATH_MAX];
	bool has_stockade, has_virtd, runs_virtd;
	char done[KEY_FACT];      /* result of an order: "made"; "": none */
	char error[KEY_FACT * 2]; /* why not; "": none */
};
/* Lines "stockade-key WORD VALUE", others are ignored. False: there is none, so the script did not run. */
bool key_facts_read(const char *text, struct key_facts *ret);

/* --- targets (cmd_key.c) ----------------------------------------------------------------------------------- */

#define KEY_PEERS_MAX (PLAN_HOSTS_MAX)
struct key_peer {
	char name[CONFIG_NAME_MAX];    /* as it is called here */
	char ssh[CONFIG_PATH_MAX];     /* what ssh is given */
	char address[CONFIG_NAME_MAX]; /* one that it must have; "": not known */
	char file[CONFIG_PATH_MAX];    /* its key file */
	bool hypervisor, self;
	bool identified;
	struct key_facts facts;
};

struct key_run {
	struct config *cfg; /* NULL: there is none */
	char file[CONFIG_PATH_MAX];
	const struct config_device *device; /* the first that uses it; NULL: none */
	struct key_where where;
	bool has_where;
	unsigned n;
	struct key_peer peer[KEY_PEERS_MAX];
	const char *ssh, *ssh_config, *virtd_conf;
	uint64_t timeout_ms; /* of asking */
	bool json, quiet;
};

int key_say(const char *what, const char *remedy); /* on stderr; Return: EXIT_FAILED */
void key_progress(const struct key_run *r, const char *host, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- other machines (key_remote.c) ------------------------------------------------------------------------- */

/**
 * key_identify() - is the machine that ssh reaches the one meant?
 * As root; its host name or an address of it is the one that is known; it is not this machine, nor another of the peers.
 * Return: 0; -ECONNREFUSED: it cannot be reached; -EPERM: it is another. @why with the remedy.
 */
int key_identify(struct key_run *r, struct key_peer *p, char why[KEY_WHY]);

enum key_order {
	KEY_PUT =
		1, /* a key into the file; "made", "same", "mended", or "differs" and nothing is done */
	KEY_REPLACE, /* the same, over another one: also "replaced" */
	KEY_SWAP,    /* FILE.new, which must be that key, becomes FILE: "switched", "already" */
	KEY_DROP,    /* FILE.new is removed: "dropped" */
	KEY_RELOAD, /* stockade-virtd reads its keys anew, and has: "reloaded", "none" when none runs */
};

/* Carry out an order there. @k: on its stdin; PUT, REPLACE, SWAP. Return: 0 and p->facts.done; -errno and @why. */
int key_order(struct key_run *r, struct key_peer *p, enum key_order order, const char *file,
	      const struct key_bytes *k, char why[KEY_WHY]);

/* Ask its files by the echo, @n keys at once. Return: 0, or -errno and @why: it did not answer. */
int key_ask_files(struct key_run *r, struct key_peer *p, const char *file,
		  const struct key_bytes *const *key, unsigned n, enum echo_verdict *verdict,
		  struct echo_answer *answer, char why[KEY_WHY]);

/* The other end of it: `stockade key answer`. Exit code. */
int key_answer(const char *file);

/* --- a rotation that is under way (key_state.c) ------------------------------------------------------------ */

struct key_state {
	char file[CONFIG_PATH_MAX], before[ECHO_FINGERPRINT_TEXT], after[ECHO_FINGERPRINT_TEXT];
	bool back;
	unsigned stage;     /* 1..PLAN_STAGES when it was last at work */
	char text[KEY_WHY]; /* what it did, or waits for */
	char began[32];     /* wall clock, for people */
	unsigned n;         /* hypervisors, as they were named */
	struct {
		char ssh[CONFIG_PATH_MAX], address[CONFIG_NAME_MAX], file[CONFIG_PATH_MAX];
	} hypervisor[KEY_HOSTS_MAX];
};
/* Return: 1 there is one, 0 none, -errno. */
int key_state_read(const char *file, struct key_state *ret);
/* What is in such a file. -EBADMSG: it is none of ours, or names more or longer things than we write; *ret is empty then. */
int key_state_of(const json_t *o, const char *file, struct key_state *ret);
char *key_state_text(const struct key_state *s); /* to be freed; NULL: no memory */
int key_state_write(const struct key_state *s);
int key_state_remove(const char *file);

/* --- the commands ------------------------------------------------------------------------------------------ */

/* How a host stands to our key, from what it was asked under KEY and KEY.new. */
enum key_match {
	KEY_SAME = 1,
	KEY_SECOND_THERE, /* it takes ours as its second one only */
	KEY_SECOND_HERE,  /* it has what is only our second one */
	KEY_DIFFERS,
	KEY_NONE, /* it has no key */
	KEY_REPLAYED,
	KEY_UNPROVEN,
	KEY_STOCK_SAME, /* proven by the stock protocol */
	KEY_NO_ANSWER,
};
const char *key_match_name(enum key_match m); /* "same" */

int key_new_run(struct key_run *r, bool replace, size_t bytes);
int key_show_run(struct key_run *r, bool peers);
int key_push_run(struct key_run *r, bool replace, bool some); /* some: hosts were named */
int key_verify_run(struct key_run *r);
int key_rotate_run(struct key_run *r, bool abort, uint64_t pause_ms, size_t bytes);

/* What verify found, one object for each host: for show. Return: new array; *ret_bad: how many do not hold the same. */
json_t *key_verify_all(struct key_run *r, const struct key_bytes *now, const struct key_bytes *next,
		       unsigned *ret_bad, unsigned *ret_second);

void key_verify_print(const json_t *rows);

/* Ask one hypervisor alone, by its address: @ret_verdict ECHO_STRAY when it does not answer. */
void key_ask_host(struct key_run *r, const struct key_peer *p, const struct key_bytes *k,
		  enum echo_verdict *ret_verdict, struct echo_answer *ret_answer);

#endif
