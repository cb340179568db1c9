// SPDX-License-Identifier: GPL-3.0-or-later
/* The serial line and the virtio channel: 74 bytes there, 5 back, a magic in front of both; no key. Whoever is at the other
 * end is the hypervisor itself.
 */
#include "xvm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	const char *text;
	speed_t speed;
} speeds[] = {
	{ "1200", B1200 },   { "2400", B2400 },     { "4800", B4800 },
	{ "9600", B9600 },   { "19200", B19200 },   { "38400", B38400 },
	{ "57600", B57600 }, { "115200", B115200 }, { "230400", B230400 },
};

/* "115200,8N1" */
static int line_params(struct agent *a, const char *text, struct termios *tio)
{
	const char *comma = strchr(text, ',');
	size_t n = comma ? (size_t)(comma - text) : strlen(text);
	const char *frame = comma ? comma + 1 : "8N1";
	speed_t speed = B0;

	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++)
		if (strlen(speeds[i].text) == n && strncmp(speeds[i].text, text, n) == 0)
			speed = speeds[i].speed;
	if (speed == B0 || strlen(frame) != 3 || frame[0] < '5' || frame[0] > '8' ||
	    !strchr("NEOneo", frame[1]) || (frame[2] != '1' && frame[2] != '2'))
		return agent_error(a, EINVAL, "serial_params=%.40s: it must look like 115200,8N1",
				   text);
	cfmakeraw(tio);
	tio->c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB);
	tio->c_cflag |= CLOCAL | CREAD;
	tio->c_cflag |= (tcflag_t)(frame[0] == '5'   ? CS5
				   : frame[0] == '6' ? CS6
				   : frame[0] == '7' ? CS7
						     : CS8);
	if (frame[1] == 'E' || frame[1] == 'e')
		tio->c_cflag |= PARENB;
	if (frame[1] == 'O' || frame[1] == 'o')
		tio->c_cflag |= PARENB | PARODD;
	if (frame[2] == '2')
		tio->c_cflag |= CSTOPB;
	tio->c_cc[VMIN] = 1;
	tio->c_cc[VTIME] = 0;
	return cfsetspeed(tio, speed) < 0 ? agent_error(a, errno, "speed: %s", strerror(errno)) : 0;
}

static int open_serial(struct agent *a, int64_t end_ms)
{
	const char *path = agent_get(a, "serial_device");
	struct termios tio;
	int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), r;

	if (fd < 0)
		return agent_error(a, errno, "serial line %.100s: %s", path, strerror(errno));
	/* two runs at once would read each other's answers */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || agent_left_ms(end_ms) == 0) {
			close(fd);
			return agent_error(a, EBUSY, "serial line %.100s is in use", path);
		}
		agent_sleep_ms(20);
	}
	struct stat st;

	/* A port of virtio-serial is no terminal, and needs none of its settings. */
	if (tcgetattr(fd, &tio) < 0 && errno == ENOTTY && fstat(fd, &st) == 0 &&
	    S_ISCHR(st.st_mode)) {
		r = 0;
	} else if (tcgetattr(fd, &tio) < 0) {
		r = agent_error(a, errno, "%.100s is no serial line: %s", path, strerror(errno));
	} else {
		r = line_params(a, agent_get(a, "serial_params"), &tio);
		if (r == 0 && tcsetattr(fd, TCSANOW, &tio) < 0)
			r = agent_error(a, errno, "serial line %.100s: %s", path, strerror(errno));
		tcflush(fd, TCIOFLUSH);
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int move(struct agent *a, int fd, void *data, size_t len, bool writing, int64_t end_ms)
{
	uint8_t *p = data;

	while (len > 0) {
		struct pollfd pfd = { .fd = fd, .events = writing ? POLLOUT : POLLIN };

		if (poll(&pfd, 1, agent_left_ms(end_ms)) == 0)
			return agent_error(
				a, ETIMEDOUT,
				"no answer on the line: has fence_virtd a serial listener for "
				"this guest?");
		ssize_t n = writing ? write(fd, p, len) : read(fd, p, len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return agent_error(a, EIO, "the line was closed: no answer");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whatever is on the line before the magic is skipped, byte by byte. */
static int read_result(struct agent *a, int fd, uint8_t *ret, int64_t end_ms)
{
	uint8_t in[VIRT_SERIAL_RESPONSE_BYTES];
	int r = move(a, fd, in, sizeof(in), false, end_ms);

	while (r == 0 && virt_serial_result(in, ret) < 0) {
		memmove(in, in + 1, sizeof(in) - 1);
		r = move(a, fd, in + sizeof(in) - 1, 1, false, end_ms);
	}
	return r;
}

static int read_list(struct agent *a, int fd, struct talk *t, int64_t end_ms)
{
	uint8_t in[VIRT_HOST_BYTES];
	struct virt_host h;

	for (;;) {
		int r = move(a, fd, in, sizeof(in), false, end_ms);

		if (r < 0)
			return r;
		if (!virt_host_decode(&h, in))
			return read_result(a, fd, &t->result, end_ms);
		if (!t->guest)
			t->guest = calloc(XVM_GUESTS_MAX, sizeof(*t->guest));
		if (!t->guest || t->n_guests == XVM_GUESTS_MAX)
			return agent_error(a, EBADMSG, "the list has no end");
		t->guest[t->n_guests++] = h;
	}
}

/* A channel (guestfwd) is TCP; only numeric waiting differs. */
static int open_channel(struct agent *a, int64_t end_ms)
{
	const char *address = agent_get(a, "channel_address");
	int fd = net_connect(a, address), err = 0;
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(err);

	if (fd < 0)
		return fd;
	if (poll(&pfd, 1, agent_left_ms(end_ms)) == 0)
		err = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		close(fd);
		return agent_error(a, err, "no answer: channel %.60s: %s", address, strerror(err));
	}
	return fd;
}

int line_ask(struct agent *a, enum virt_operation op, const char *domain, struct talk *t)
{
	struct xvm *x = xvm_of(a);
	struct virt_serial_request q = { .request = (uint8_t)op,
					 .flags = agent_is(a, "use_uuid") ? VIRT_FLAG_UUID : 0 };
	uint8_t out[VIRT_SERIAL_BYTES];
	int64_t end_ms = x->end_ms, least = agent_now_ms() + 1000;
	int r;

	if (end_ms < least)
		end_ms = least;
	if (getrandom(&q.seqno, sizeof(q.seqno), 0) != sizeof(q.seqno))
		return agent_error(a, EIO, "no random numbers from the kernel");
	snprintf(q.domain, sizeof(q.domain), "%s", domain);
	virt_serial_encode(out, &q);
	t->fd = x->way == XVM_SERIAL ? open_serial(a, end_ms) : open_channel(a, end_ms);
	if (t->fd < 0)
		return t->fd;
	r = move(a, t->fd, out, sizeof(out), true, end_ms);
	if (r == 0)
		r = read_result(a, t->fd, &t->result, end_ms);
	if (r == 0 && op == VIRT_HOSTLIST && t->result == VIRT_LIST_FOLLOWS)
		r = read_list(a, t->fd, t, end_ms);
	close(t->fd);
	t->fd = -1;
	t->stage = r == 0 ? TALK_DONE : TALK_FAILED;
	return r;
}
