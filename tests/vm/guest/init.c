/* SPDX-License-Identifier: GPL-3.0-or-later */
/* init.c - the whole initramfs of a laboratory guest: load the modules, mount the disk, start its init.
 *
 * The stock initramfs costs a guest under TCG several seconds of unpacking and shell. This one knows its
 * machine: /m/NN are the modules in the order to load them, the root is the ext4 of /dev/vda.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "lab init: %s: %s\n", what, strerror(errno));
	sleep(3600); /* the console log keeps the message; a return would be one more panic */
	exit(1);
}

static void load_modules(void)
{
	struct dirent **list;
	int n = scandir("/m", &list, NULL, alphasort);

	if (n < 0)
		die("/m");
	for (int i = 0; i < n; i++) {
		char path[300];
		int fd;

		if (list[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/m/%s", list[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			die(path);
		close(fd);
	}
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	load_modules();
	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID, "mode=755") < 0)
		die("devtmpfs");
	for (int i = 0; access("/dev/vda", F_OK) < 0; i++) { /* the probe may still run */
		if (i == 1000)
			die("/dev/vda");
		nanosleep(&pause, NULL);
	}
	if (mount("/dev/vda", "/root", "ext4", MS_NOATIME, "") < 0)
		die("mount /dev/vda");
	if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) < 0)
		die("move /dev");
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		die("switch root");
	execl("/sbin/init", "/sbin/init", NULL);
	die("/sbin/init");
}
