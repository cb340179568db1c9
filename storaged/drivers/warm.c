/* SPDX-License-Identifier: GPL-3.0-or-later */
/* warm.c - lists of files, and reading them into memory. */
#include "warm.h"

#include "lib/shell/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define TREE_DEPTH 4
#define CHUNK (256u * 1024)
#define PACE_BYTES \
	(1u << 20) /* after so much from the disk, a pause: not every disk knows an idle class */
#define PACE_MS 10
#define IOPRIO_WHO_PROCESS 1 /* linux/ioprio.h; the C library has neither the call nor its words */
#define IOPRIO_IDLE (3 << 13)

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n > 1 && strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool wanted(const struct warm_files *f, const char *path)
{
	static const char *const never[] = { "/dev",    "/proc", "/sys", "/run",
					     "/memfd:", "/SYSV", NULL };

	if (path[0] != '/' || strlen(path) >= LINE_MAX_BYTES)
		return false;
	for (const char *p = path; *p; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	for (unsigned i = 0; never[i]; i++)
		if (below(path, never[i]) || strncmp(path, never[i], strlen(never[i])) == 0)
			return false;
	for (unsigned i = 0; f->not_below && f->not_below[i]; i++)
		if (below(path, f->not_below[i]))
			return false;
	return true;
}

void warm_add(struct warm_files *f, const char *path)
{
	if (!wanted(f, path))
		return;
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->path[i], path) == 0)
			return;
	if (f->n == WARM_FILES_MAX) {
		f->more = true;
		return;
	}
	f->path[f->n] = strdup(path);
	f->n += f->path[f->n] != NULL;
}

static void add_tree(struct warm_files *f, const char *dir, unsigned depth)
{
	DIR *d = depth < TREE_DEPTH && wanted(f, dir) ? opendir(dir) : NULL;

	for (struct dirent *e; d && !f->more && (e = readdir(d));) {
		char path[LINE_MAX_BYTES];
		struct stat st;

		if (e->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		/* a link to a file is that file; one to a directory may lead anywhere */
		bool link = e->d_type == DT_LNK;

		if (stat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && !link)
			add_tree(f, path, depth + 1);
		else if (S_ISREG(st.st_mode))
			warm_add(f, path);
	}
	if (d)
		closedir(d);
}

void warm_add_tree(struct warm_files *f, const char *dir)
{
	add_tree(f, dir, 0);
}

void warm_add_maps(struct warm_files *f, FILE *maps)
{
	char line[LINE_MAX_BYTES + 128];

	while (fgets(line, sizeof(line), maps)) {
		static const char deleted[] = " (deleted)";
		char *path = strchr(line, '/'), *end = strchr(line, '\n');
		size_t n;

		if (!path || !end)
			continue;
		*end = '\0';
		n = strlen(path);
		if (n >= sizeof(deleted) && strcmp(path + n - (sizeof(deleted) - 1), deleted) == 0)
			continue;
		warm_add(f, path);
	}
}

void warm_add_program(struct warm_files *f, const char *path, bool first)
{
	char head[256];
	int fd = wanted(f, path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	ssize_t n = fd >= 0 ? pread(fd, head, sizeof(head) - 1, 0) : -1;

	if (fd >= 0)
		close(fd);
	if (n < 4)
		return;
	head[n] = '\0';
	warm_add(f, path);
	if (strncmp(head, "#!", 2) == 0) {
		char *word = head + 2 + strspn(head + 2, " \t");

		word[strcspn(word, " \t\n")] = '\0';
		if (strcmp(word, path) != 0 && strncmp(word, "/", 1) == 0)
			warm_add(f, word);
	}
	if (first && !warm_add_package(f, path) && memcmp(head, "\177ELF", 4) == 0)
		warm_add_libraries(f, path);
}

void warm_done(struct warm_files *f)
{
	while (f->n)
		free(f->path[--f->n]);
	f->more = false;
}

int warm_load(struct warm_files *f, const char *list)
{
	char line[LINE_MAX_BYTES + 2];
	FILE *file = fopen(list, "re");

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		warm_add(f, line);
	}
	fclose(file);
	return 0;
}

int warm_save(const struct warm_files *f, const char *list)
{
	char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	if (!file)
		return -errno;
	for (unsigned i = 0; i < f->n; i++)
		fprintf(file, "%s\n", f->path[i]);
	int r = fclose(file) == 0 ? file_replace(list, text, len, 0600, false) : -ENOMEM;

	free(text);
	return r;
}

uint64_t warm_room(void)
{
	char line[128];
	uint64_t kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 256 < WARM_BYTES_MAX ? kib * 256 : WARM_BYTES_MAX;
}

void warm_idle(void)
{
	struct sched_param none = { 0 };

	sched_setscheduler(0, SCHED_IDLE, &none);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	/* the daemon is the last to be killed for memory, this is the first */
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "1000", 4) < 0)
			errno = 0; /* it may be refused where we are no root */
		close(fd);
	}
}

/* A server that does not answer would hold us, and its files are not on this node's disk. */
static bool local_file(int fd)
{
	static const uint32_t remote[] = { 0x6969 /* nfs */,      0xff534d42 /* cifs */,
					   0xfe534d42 /* smb2 */, 0x00c36400 /* ceph */,
					   0x65735546 /* fuse */, 0x01021997 /* 9p */ };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (unsigned i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if ((uint32_t)fs.f_type == remote[i])
			return false;
	return true;
}

/* How much of it is in memory. */
static uint64_t resident(int fd, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), n = (size + page - 1) / page, in = 0;
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char *map = malloc(n);

	if (at != MAP_FAILED && map && mincore(at, size, map) == 0)
		for (uint64_t i = 0; i < n; i++)
			in += map[i] & 1;
	free(map);
	if (at != MAP_FAILED)
		munmap(at, size);
	return in * page < size ? in * page : size;
}

/* By read(), not by readahead(): a page that is there already is marked as used by that, and stays. */
static void read_in(int fd, uint64_t size, bool cold)
{
	static char buf[CHUNK];
	uint64_t paced = 0;

	posix_fadvise(fd, 0, (off_t)size, POSIX_FADV_SEQUENTIAL);
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(fd, buf, sizeof(buf), (off_t)at);

		if (n <= 0)
			return;
		at += (uint64_t)n;
		paced += (uint64_t)n;
		if (cold && paced >= PACE_BYTES) {
			nanosleep(&(struct timespec){ .tv_nsec = PACE_MS * 1000000 }, NULL);
			paced = 0;
		}
	}
}

void warm_read(const struct warm_files *f, uint64_t max, struct warm_read *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < f->n; i++) {
		int fd = open(f->path[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		struct stat st;

		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		    (uint64_t)st.st_size <= WARM_FILE_BYTES_MAX &&
		    ret->bytes + (uint64_t)st.st_size <= max && local_file(fd)) {
			uint64_t size = (uint64_t)st.st_size, cold = size - resident(fd, size);

			read_in(fd, size, cold > 0);
			ret->files++;
			ret->bytes += size;
			ret->read_bytes += cold;
		}
		close(fd);
	}
}
