/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Judgements about keys and words; no file and no machine is looked at. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/key.h"

#define TEXT_ENOUGH 64 /* so many hexadecimal digits are as good as 32 bytes */

static void warn(struct key_warnings *w, bool bad, const char *text, const char *remedy)
{
	if (w->n == KEY_WARNINGS_MAX)
		return;
	w->v[w->n].bad = bad;
	w->v[w->n].text = text;
	w->v[w->n++].remedy = remedy;
}

static bool all_the_same(const struct key_bytes *k)
{
	for (size_t i = 1; i < k->len; i++)
		if (k->bytes[i] != k->bytes[0])
			return false;
	return k->len > 0;
}

static bool all_text(const struct key_bytes *k)
{
	for (size_t i = 0; i < k->len; i++)
		if (!isprint(k->bytes[i]) && !isspace(k->bytes[i]))
			return false;
	return k->len > 0;
}

void key_warn(const struct key_file *f, struct key_warnings *ret)
{
	static const char anew[] =
		"stockade key rotate makes a good one and changes it without a gap";
	const struct key_bytes *k = &f->key;

	ret->n = 0;
	if (!f->there)
		return;
	if (!S_ISREG(f->mode))
		warn(ret, true, "it is no regular file", "put the key itself there");
	if (f->uid != 0)
		warn(ret, true, "it does not belong to root", "chown root:root");
	if (f->mode & 0007)
		warn(ret, true, "everybody on this machine may touch it",
		     "chmod 0600; who could read it can fence every node: then stockade key rotate");
	else if (f->mode & 0070)
		warn(ret, true, "its group may touch it", "chmod 0600");
	if (S_ISREG(f->mode) && f->size == 0) {
		warn(ret, true, "it is empty: every request is refused",
		     "stockade key new --replace, then stockade key push --replace");
		return;
	}
	if (k->len > 0 && all_the_same(k))
		warn(ret, true,
		     k->bytes[0] == 0 ? "it is all zero" : "it is one byte over and over", anew);
	else if (k->len > 0 && k->bytes[k->len - 1] == '\n' && all_text(k))
		warn(ret, true,
		     "it is a line of text with its newline, which is part of the key: made with echo?",
		     anew);
	else if (k->len < TEXT_ENOUGH && all_text(k))
		warn(ret, false, "it is text: that is easier to guess than random bytes", anew);
	if (k->len > 0 && k->len < KEY_BYTES_MIN)
		warn(ret, true, "it has fewer than 32 bytes: it can be guessed", anew);
	if (f->size > VIRT_KEY_MAX)
		warn(ret, false, "only its first 4096 bytes count", NULL);
}

bool key_word(const char *text)
{
	if (!*text || *text == '-')
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("._/:@%+,=-", *text))
			return false;
	return true;
}

static void copy(char *to, size_t size, const char *from, size_t len)
{
	size_t n = len < size - 1 ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[n] = '\0';
}

/* Listeners may share one. */
static void take_key_file(struct key_facts *f, const char *value, size_t len)
{
	char *to = f->key_file[f->n_key_files];

	if (f->n_key_files == sizeof(f->key_file) / sizeof(f->key_file[0]))
		return;
	copy(to, CONFIG_PATH_MAX, value, len);
	for (unsigned i = 0; i < f->n_key_files; i++)
		if (strcmp(f->key_file[i], to) == 0)
			return;
	f->n_key_files++;
}

static void take_fact(struct key_facts *f, const char *word, const char *value, size_t len)
{
	const struct {
		const char *word;
		char *to;
		size_t size;
	} texts[] = { { "host", f->host, sizeof(f->host) },
		      { "boot", f->boot, sizeof(f->boot) },
		      { "done", f->done, sizeof(f->done) },
		      { "error", f->error, sizeof(f->error) } };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(word, texts[i].word) == 0)
			copy(texts[i].to, texts[i].size, value, len);
	if (strcmp(word, "address") == 0 && f->n_addresses < KEY_ADDRESSES_MAX)
		copy(f->address[f->n_addresses++], KEY_HOST_TEXT, value, len);
	else if (strcmp(word, "keyfile") == 0)
		take_key_file(f, value, len);
	else if (strcmp(word, "user") == 0 && len > 0 && isdigit((unsigned char)*value))
		f->uid = atoi(value);
	else if (strcmp(word, "has") == 0)
		*(strncmp(value, "stockade-virtd", 14) == 0 ? &f->has_virtd
							    : &f->has_stockade) = true;
	else if (strcmp(word, "runs") == 0)
		f->runs_virtd = true;
}

bool key_facts_read(const char *text, struct key_facts *ret)
{
	static const char mark[] = "stockade-key ";
	bool any = false;

	memset(ret, 0, sizeof(*ret));
	ret->uid = -1;
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > sizeof(mark) - 1 && strncmp(text, mark, sizeof(mark) - 1) == 0) {
			const char *at = text + sizeof(mark) - 1;
			size_t left = len - (sizeof(mark) - 1), n = strcspn(at, " \n");
			char word[32];

			if (n > left)
				n = left;
			if (n < sizeof(word)) {
				memcpy(word, at, n);
				word[n] = '\0';
				take_fact(ret, word, at + n + (n < left), left - n - (n < left));
				any = true;
			}
		}
		text += len + (text[len] == '\n');
	}
	return any;
}

const char *key_match_name(enum key_match m)
{
	switch (m) {
	case KEY_SAME: return "same";
	case KEY_SECOND_THERE: return "second_there";
	case KEY_SECOND_HERE: return "second_here";
	case KEY_DIFFERS: return "differs";
	case KEY_NONE: return "none";
	case KEY_REPLAYED: return "replayed";
	case KEY_UNPROVEN: return "unproven";
	case KEY_STOCK_SAME: return "same_stock";
	case KEY_NO_ANSWER: return "no_answer";
	}
	return "?";
}
