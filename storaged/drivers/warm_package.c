/* SPDX-License-Identifier: GPL-3.0-or-later */
/* warm_package.c - what belongs to a program that never ran here, as dpkg(1) and ldd(1) know it.
 *
 * The program that systemd starts is often a script, and the one that it starts comes from another package (apachectl is of
 * apache2, the server and its modules of apache2-bin), so all packages of its source are taken: their programs and
 * libraries, not their data. Where there is no dpkg, the program itself and its libraries have to do until it has run.
 */
#include "run.h"
#include "warm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUERY_MS 20000
#define PACKAGES_MAX 32
#define PROGRAMS_MAX 64

static bool is_elf(const char *path)
{
	char head[4];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool elf = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		   pread(fd, head, sizeof(head), 0) == 4 && memcmp(head, "\177ELF", 4) == 0;

	if (fd >= 0)
		close(fd);
	return elf;
}

/* The words of ldd's answer that are paths. @argv: room for NULL; argv[0] is ldd's place. */
static void add_libraries(struct warm_files *f, const char **argv, unsigned n)
{
	struct run r = { .argv = argv, .timeout_ms = QUERY_MS };
	char *save = NULL;

	argv[0] = "ldd";
	argv[n] = NULL;
	run_program(
		&r); /* one of several that is not dynamic makes it fail, and says so among the others */
	for (char *w = strtok_r(r.out, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
		if (strchr(w, ':') == NULL)
			warm_add(f, w);
	run_done(&r);
}

/* Runs it; what it said, cut into lines by the caller; run_done() is his, too. */
static char *ask(struct run *r, const char *const *argv)
{
	*r = (struct run){ .argv = argv, .timeout_ms = QUERY_MS };
	return run_program(r) == 0 ? r->out : NULL;
}

/* The package that a file came from, "" when nobody knows. */
static void package_of(const char *path, char *name, size_t len)
{
	const char *const argv[] = { "dpkg-query", "-S", path, NULL };
	struct run r;
	const char *out = ask(&r, argv);

	snprintf(name, len, "%.*s", out ? (int)strcspn(out, ":,\n") : 0, out ? out : "");
	run_done(&r);
}

static void source_of(const char *package, char *name, size_t len)
{
	const char *const argv[] = {
		"dpkg-query", "-W", "-f", "${source:Package}\n", package, NULL
	};
	struct run r;
	const char *out = ask(&r, argv);

	snprintf(name, len, "%.*s", out ? (int)strcspn(out, "\n") : 0, out ? out : "");
	run_done(&r);
}

/* The files of these packages. */
static void add_files(struct warm_files *f, const char **argv)
{
	const char *program[PROGRAMS_MAX + 2];
	unsigned n = 1;
	struct run r;
	char *save = NULL, *out = ask(&r, argv);

	for (char *w = out ? strtok_r(out, "\n", &save) : NULL; w;
	     w = strtok_r(NULL, "\n", &save)) {
		if (w[0] != '/' || !is_elf(w))
			continue;
		warm_add(f, w);
		if (n <= PROGRAMS_MAX)
			program[n++] = w;
	}
	if (n > 1)
		add_libraries(f, program, n);
	run_done(&r);
}

bool warm_add_package(struct warm_files *f, const char *path)
{
	const char *const all[] = { "dpkg-query", "-W", "-f",
				    "${source:Package} ${binary:Package}\n", NULL };
	const char *list[PACKAGES_MAX + 3] = { "dpkg-query", "-L" };
	char package[128], source[128];
	unsigned n = 2;
	struct run r;

	package_of(path, package, sizeof(package));
	if (!package[0])
		return false;
	source_of(package, source, sizeof(source));
	if (!source[0])
		return false;
	char *save = NULL, *out = ask(&r, all);

	for (char *w = out ? strtok_r(out, "\n", &save) : NULL; w;
	     w = strtok_r(NULL, "\n", &save)) {
		char *blank = strchr(w, ' ');

		if (!blank || n == PACKAGES_MAX + 2)
			continue;
		*blank = '\0';
		if (strcmp(w, source) == 0)
			list[n++] = blank + 1;
	}
	if (n > 2)
		add_files(f, list);
	run_done(&r);
	return n > 2;
}

void warm_add_libraries(struct warm_files *f, const char *path)
{
	const char *argv[3] = { NULL, path, NULL };

	add_libraries(f, argv, 2);
}
