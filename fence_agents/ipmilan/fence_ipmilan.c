// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_ipmilan - a fence agent for machines whose BMC speaks IPMI 2.0 over LAN (RMCP+).
 *
 * The protocol is libfreeipmi's; ours is what an administrator has to be able to trust: the state is read back from the
 * chassis after each command (a BMC accepts a command long before it is done, and some accept it and do nothing),
 * every wait is bounded, a cipher suite without signatures or encryption is not offered, the password reaches no
 * command line, and each way to fail has its own sentence (SAFE-3: none of them is ever "off").
 *
 * Takes the parameters of the agent of the same name that wraps ipmitool; what only that program needs is taken
 * and said to be without effect.
 */
#include "fence_agents/lib/agent.h"

#include <ctype.h>
#include <errno.h>
#include <freeipmi/freeipmi.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NAME_BYTES_MAX 16     /* IPMI 2.0 13.20 */
#define PASSWORD_BYTES_MAX 20 /* IPMI 2.0 22.30; ipmitool cuts a longer one off without a word */
#define KG_BYTES_MAX 20
#define RETRANSMIT_MS 500
#define NOT_IN_PRESENT_STATE 0xd5 /* completion code, IPMI 2.0 table 5-2 */

struct ipmilan {
	ipmi_ctx_t ctx;             /* NULL: no session */
	char host[NI_MAXHOST + 16]; /* numeric, with the port, as libfreeipmi wants it */
	uint8_t kg[KG_BYTES_MAX];
	unsigned kg_len;
};

static const char *const ciphers[] = { "17", "3", NULL };
static const char *const levels[] = { "callback", "user", "operator", "administrator", NULL };
static const uint8_t level_numbers[] = { IPMI_PRIVILEGE_LEVEL_CALLBACK, IPMI_PRIVILEGE_LEVEL_USER,
					 IPMI_PRIVILEGE_LEVEL_OPERATOR,
					 IPMI_PRIVILEGE_LEVEL_ADMIN };

static const struct agent_param params[] = {
	{ .name = "ip",
	  .alias = { { .name = "ipaddr" } },
	  .letter = 'a',
	  .text = "Address or name of the BMC." },
	{ .name = "plug",
	  .alias = { { .name = "port" } },
	  .letter = 'n',
	  .arg = "ip",
	  .text = "Address or name of the BMC, together with port_as_ip; else without effect." },
	{ .name = "port_as_ip", .type = AGENT_BOOLEAN, .text = "Take the address from plug." },
	{ .name = "ipport",
	  .letter = 'u',
	  .type = AGENT_INTEGER,
	  .value = "623",
	  .min = 1,
	  .max = 65535,
	  .text = "UDP port of the BMC." },
	{ .name = "username",
	  .alias = { { .name = "login" } },
	  .letter = 'l',
	  .text = "User on the BMC. One of its own with operator rights is enough." },
	{ .name = "password",
	  .alias = { { .name = "passwd" } },
	  .letter = 'p',
	  .secret = true,
	  .text = "Password, 20 bytes at most." },
	{ .name = "cipher",
	  .letter = 'C',
	  .type = AGENT_SELECT,
	  .select = ciphers,
	  .value = "17",
	  .text = "Cipher suite: 17 is SHA-256, 3 is SHA-1 for BMCs that have no other; both encrypt." },
	{ .name = "privlvl",
	  .letter = 'L',
	  .type = AGENT_SELECT,
	  .select = levels,
	  .value = "operator",
	  .text = "Rights to ask for; operator is all that power control needs." },
	{ .name = "hexadecimal_kg",
	  .secret = true,
	  .arg = "key",
	  .text = "Key of the BMC (Kg), in hexadecimal, where one is set." },
	{ .name = "power_wait",
	  .type = AGENT_SECOND,
	  .value = "0",
	  .text = "Seconds to wait after a power command before the state is read for the first time." },
	{ .name = "auth", .letter = 'A', .hidden = true, .text = "Of IPMI 1.5." },
	{ .name = "lanplus",
	  .alias = { { .name = "lan_plus" } },
	  .letter = 'P',
	  .type = AGENT_BOOLEAN,
	  .value = "1",
	  .text = "Always so: IPMI 1.5 is not spoken." },
	{ .name = "target", .hidden = true, .text = "Bridging; refused." },
	{ .name = "timeout", .letter = 't', .hidden = true, .text = "Without effect." },
	{ .name = "ipmitool_path", .hidden = true, .text = "Without effect." },
	{ .name = "ipmitool_timeout", .hidden = true, .text = "Without effect." },
	{ .name = "use_sudo",
	  .alias = { { .name = "sudo" } },
	  .hidden = true,
	  .bare = "1",
	  .text = "Without effect." },
	{ .name = "sudo_path", .hidden = true, .text = "Without effect." },
	{ 0 },
};

/* What libfreeipmi can say about a session, as a person needs it. */
static const struct failure {
	int number;
	int err;
	const char *text;
} failures[] = {
	{ IPMI_ERR_USERNAME_INVALID, EACCES,
	  "the BMC has no such user, or does not let it in; check username" },
	{ IPMI_ERR_PASSWORD_INVALID, EACCES,
	  "wrong password, or it answers with another cipher suite than it was asked for; check password (or password_script)" },
	{ IPMI_ERR_K_G_INVALID, EACCES, "the BMC has another key (Kg); check hexadecimal_kg" },
	{ IPMI_ERR_PRIVILEGE_LEVEL_INSUFFICIENT, EPERM,
	  "the user may not do that; give it operator rights on the BMC, and privlvl=operator here" },
	{ IPMI_ERR_PRIVILEGE_LEVEL_CANNOT_BE_OBTAINED, EPERM,
	  "the user has not the rights that privlvl asks for; operator is enough" },
	{ IPMI_ERR_CIPHER_SUITE_ID_UNAVAILABLE, EPROTONOSUPPORT,
	  "the BMC does not take this cipher suite; enable 17 on it, or give cipher=3" },
	{ IPMI_ERR_AUTHENTICATION_TYPE_UNAVAILABLE, EPROTONOSUPPORT,
	  "the BMC does not take this cipher suite; enable 17 on it, or give cipher=3" },
	{ IPMI_ERR_PASSWORD_VERIFICATION_TIMEOUT, ETIMEDOUT,
	  "the BMC fell silent while it checked the password; wrong password, or it is overloaded" },
	{ IPMI_ERR_IPMI_2_0_UNAVAILABLE, EPROTONOSUPPORT,
	  "the BMC does not speak IPMI 2.0; update its firmware" },
	{ IPMI_ERR_CONNECTION_TIMEOUT, ETIMEDOUT,
	  "no answer; check the address, that IPMI over LAN is enabled, and that UDP is let through" },
	{ IPMI_ERR_SESSION_TIMEOUT, ETIMEDOUT, "the BMC fell silent in the middle of the session" },
	{ IPMI_ERR_MESSAGE_TIMEOUT, ETIMEDOUT, "the BMC fell silent in the middle of the session" },
	{ IPMI_ERR_IPMI_ERROR, EPROTO,
	  "the BMC refused the session; if it knows only old cipher suites, give cipher=3" },
	{ IPMI_ERR_BAD_RMCPPLUS_STATUS_CODE, EPROTO,
	  "the BMC refused the session; if it knows only old cipher suites, give cipher=3" },
	{ IPMI_ERR_BMC_BUSY, EBUSY, "the BMC is busy; it may have too many sessions" },
	{ IPMI_ERR_HOSTNAME_INVALID, EINVAL, "the address cannot be used; check ip" },
};

static int fail_ipmi(struct agent *a, const char *what)
{
	struct ipmilan *me = agent_state(a);
	int number = ipmi_ctx_errnum(me->ctx);

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].number == number)
			return agent_error(a, failures[i].err, "BMC %s: %s: %s", me->host, what,
					   failures[i].text);
	return agent_error(a, EIO, "BMC %s: %s: %s", me->host, what, ipmi_ctx_errormsg(me->ctx));
}

/* --- parameters -------------------------------------------------------------------------------------- */

static const char *address(const struct agent *a)
{
	return agent_get(a, agent_is(a, "port_as_ip") ? "plug" : "ip");
}

static int kg_take(struct agent *a)
{
	struct ipmilan *me = agent_state(a);
	const char *hex = agent_get(a, "hexadecimal_kg");

	if (!hex)
		return 0;
	if (strncmp(hex, "0x", 2) == 0)
		hex += 2;
	size_t len = strlen(hex);

	if (len == 0 || len % 2 != 0 || len / 2 > KG_BYTES_MAX ||
	    strspn(hex, "0123456789abcdefABCDEF") != len)
		return agent_error(a, EINVAL,
				   "hexadecimal_kg: 2 to 40 hexadecimal digits are wanted");
	for (size_t i = 0; i < len; i += 2)
		me->kg[me->kg_len++] = (uint8_t)strtoul((char[]){ hex[i], hex[i + 1], 0 }, NULL,
							16);
	return 0;
}

static int validate(struct agent *a)
{
	static const char *const without_effect[] = { "auth",          "timeout",
						      "ipmitool_path", "ipmitool_timeout",
						      "use_sudo",      "sudo_path" };
	const char *user = agent_get(a, "username"), *password = agent_get(a, "password");

	for (size_t i = 0; i < sizeof(without_effect) / sizeof(without_effect[0]); i++)
		if (agent_given(a, without_effect[i]))
			agent_warn(a, "%s has no effect here: ipmitool is not used",
				   without_effect[i]);
	if (!agent_is(a, "lanplus"))
		agent_warn(a,
			   "lanplus=0 has no effect: IPMI 1.5 is not spoken, it protects nothing");
	if (agent_given(a, "target"))
		return agent_error(
			a, EINVAL,
			"target: requests are not bridged; give the address of the BMC itself");
	if (!address(a) || !*address(a))
		return agent_error(a, EINVAL, "ip is required: the address or name of the BMC");
	if (!user || !*user)
		return agent_error(a, EINVAL, "username is required");
	if (strlen(user) > NAME_BYTES_MAX)
		return agent_error(a, EINVAL, "username is longer than IPMI's %d bytes",
				   NAME_BYTES_MAX);
	if (!password || !*password)
		return agent_error(a, EINVAL, "password (or password_script) is required");
	if (strlen(password) > PASSWORD_BYTES_MAX)
		return agent_error(
			a, EINVAL,
			"password is longer than IPMI's %d bytes: set a shorter one on the BMC",
			PASSWORD_BYTES_MAX);
	return kg_take(a);
}

/* --- the session ------------------------------------------------------------------------------------- */

/* We resolve the name ourselves: the family can be chosen, and "no such host" is told from "no answer". */
static int resolve(struct agent *a)
{
	struct ipmilan *me = agent_state(a);
	struct addrinfo want = { .ai_socktype = SOCK_DGRAM }, *found;
	char host[NI_MAXHOST];

	want.ai_family = agent_is(a, "inet4_only")   ? AF_INET
			 : agent_is(a, "inet6_only") ? AF_INET6
						     : AF_UNSPEC;
	int r = getaddrinfo(address(a), NULL, &want, &found);
	if (r != 0)
		return agent_error(a, EINVAL, "BMC %s: %s; check ip", address(a), gai_strerror(r));
	r = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), NULL, 0,
			NI_NUMERICHOST);
	bool six = found->ai_family == AF_INET6;

	freeaddrinfo(found);
	if (r != 0)
		return agent_error(a, EINVAL, "BMC %s: %s; check ip", address(a), gai_strerror(r));
	snprintf(me->host, sizeof(me->host), "%s%s%s:%ld", six ? "[" : "", host, six ? "]" : "",
		 agent_number(a, "ipport"));
	return 0;
}

static void session_close(struct agent *a)
{
	struct ipmilan *me = agent_state(a);

	if (!me->ctx)
		return;
	ipmi_ctx_close(me->ctx);
	ipmi_ctx_destroy(me->ctx);
	me->ctx = NULL;
}

/* Of the two times the longer: libfreeipmi has one for all that it waits for. */
static unsigned silence_ms(const struct agent *a)
{
	long login = agent_number(a, "login_timeout"), shell = agent_number(a, "shell_timeout");
	long longer = login > shell ? login : shell;

	return longer < 1 ? 1000 : longer > 3600 ? 3600000 : (unsigned)longer * 1000;
}

static int session_open(struct agent *a)
{
	struct ipmilan *me = agent_state(a);
	unsigned level = 0;

	if (!me->host[0] && resolve(a) < 0)
		return -EINVAL;
	while (strcmp(levels[level], agent_get(a, "privlvl")) != 0)
		level++;
	me->ctx = ipmi_ctx_create();
	if (!me->ctx)
		return agent_error(a, ENOMEM, "no memory for a session");
	/* The privilege that a BMC grants in its first answer is often 0; the level is asked for again, and checked, later. */
	if (ipmi_ctx_open_outofband_2_0(
		    me->ctx, me->host, agent_get(a, "username"), agent_get(a, "password"),
		    me->kg_len ? me->kg : NULL, me->kg_len, level_numbers[level],
		    (uint8_t)strtoul(agent_get(a, "cipher"), NULL, 10), silence_ms(a),
		    RETRANSMIT_MS, IPMI_WORKAROUND_FLAGS_OUTOFBAND_2_0_OPEN_SESSION_PRIVILEGE,
		    IPMI_FLAGS_DEFAULT) < 0) {
		int r = fail_ipmi(a, "login");

		session_close(a);
		return r;
	}
	return 0;
}

/* A BMC forgets sessions: what can be said twice is said once more in a new one. */
static bool lost_session(const struct ipmilan *me)
{
	int number = ipmi_ctx_errnum(me->ctx);

	return number == IPMI_ERR_SESSION_TIMEOUT || number == IPMI_ERR_MESSAGE_TIMEOUT;
}

static int chassis_status(struct agent *a, const char *plug, enum agent_power *ret)
{
	struct ipmilan *me = agent_state(a);
	uint64_t on = 0;
	int r = 0;

	(void)plug;
	fiid_obj_t rs = fiid_obj_create(tmpl_cmd_get_chassis_status_rs);
	if (!rs)
		return agent_error(a, ENOMEM, "no memory for an answer");
	if (!me->ctx && (r = session_open(a)) < 0)
		goto out;
	int sent = ipmi_cmd_get_chassis_status(me->ctx, rs);

	if (sent < 0 && lost_session(me)) {
		agent_debug(a, "the session is lost; logging in again");
		session_close(a);
		if ((r = session_open(a)) < 0)
			goto out;
		sent = ipmi_cmd_get_chassis_status(me->ctx, rs);
	}
	if (sent < 0) {
		r = fail_ipmi(a, "chassis status");
		session_close(a);
	} else if (FIID_OBJ_GET(rs, "current_power_state.power_is_on", &on) < 0) {
		r = agent_error(a, EPROTO, "BMC %s: chassis status without a power state",
				me->host);
	} else {
		*ret = on ? AGENT_ON : AGENT_OFF;
	}
out:
	fiid_obj_destroy(rs);
	return r;
}

/* Return: 0; 1: "not in the present state"; or what agent_error() returned. */
static int chassis_control(struct agent *a, uint8_t what, const char *name, bool again)
{
	struct ipmilan *me = agent_state(a);
	uint64_t code = 0;
	int r = 0;

	fiid_obj_t rs = fiid_obj_create(tmpl_cmd_chassis_control_rs);
	if (!rs)
		return agent_error(a, ENOMEM, "no memory for an answer");
	if (!me->ctx && (r = session_open(a)) < 0)
		goto out;
	int sent = ipmi_cmd_chassis_control(me->ctx, what, rs);

	if (sent < 0 && again && lost_session(me)) {
		agent_debug(a, "the session is lost; logging in again");
		session_close(a);
		if ((r = session_open(a)) < 0)
			goto out;
		sent = ipmi_cmd_chassis_control(me->ctx, what, rs);
	}
	if (sent >= 0)
		goto out;
	if (FIID_OBJ_GET(rs, "comp_code", &code) >= 0 && code == NOT_IN_PRESENT_STATE) {
		r = 1;
		goto out;
	}
	r = fail_ipmi(a, name);
	if (code)
		r = agent_error(a, -r, "BMC %s: %s: refused with completion code 0x%02x", me->host,
				name, (unsigned)code);
out:
	fiid_obj_destroy(rs);
	return r;
}

static int fail_state(struct agent *a, const char *name)
{
	struct ipmilan *me = agent_state(a);

	return agent_error(a, EBUSY, "BMC %s: %s: not possible in the chassis' present state",
			   me->host, name);
}

static int power_set(struct agent *a, const char *plug, enum agent_power to, enum agent_power *seen)
{
	const char *name = to == AGENT_ON ? "power on" : "power off";

	(void)plug;
	(void)seen; /* accepted is not done: the library asks for the state */
	int r = chassis_control(
		a, to == AGENT_ON ? IPMI_CHASSIS_CONTROL_POWER_UP : IPMI_CHASSIS_CONTROL_POWER_DOWN,
		name, true);
	/* Some refuse what is so already; the state that is read next decides. */
	return r > 0 ? 0 : r;
}

/* A chassis that is off cannot be cycled: that is no reason to leave it off for ever. */
static int power_cycle(struct agent *a, const char *plug, enum agent_power *seen)
{
	enum agent_power now = AGENT_UNKNOWN;
	int r = chassis_control(a, IPMI_CHASSIS_CONTROL_POWER_CYCLE, "power cycle", false);

	if (r <= 0)
		return r;
	r = chassis_status(a, plug, &now);
	if (r == 0 && now != AGENT_OFF)
		r = fail_state(a, "power cycle");
	if (r < 0)
		return r;
	*seen = AGENT_OFF;
	return power_set(a, plug, AGENT_ON, &now);
}

static int diag(struct agent *a, const char *plug)
{
	(void)plug;
	int r = chassis_control(a, IPMI_CHASSIS_CONTROL_PULSE_DIAGNOSTIC_INTERRUPT, "diag", false);

	if (r > 0)
		r = fail_state(a, "diag");
	if (r == 0)
		printf("Success: diagnostic interrupt sent\n");
	return r < 0 ? AGENT_EXIT_FAILED : AGENT_EXIT_OK;
}

static const struct agent_action actions[] = { { .name = "diag", .run = diag }, { 0 } };

static const struct agent_def def = {
	.name = "fence_ipmilan",
	.short_text = "Fence agent for machines with IPMI 2.0",
	.text = "fence_ipmilan switches a machine by its BMC, with IPMI 2.0 over LAN (RMCP+), and reads the power state back: "
		"a command that was accepted and not carried out is a failure.\n\n"
		"A BMC usually hangs on the power of its machine: when that is gone, so is the answer, and the "
		"machine's state is unknown. Have a second level (a switched power outlet, fence_scsi, a watchdog).\n\n"
		"Anybody who reaches the BMC and knows a user's name can guess at its password offline (RAKP): give the "
		"cluster a user of its own, with operator rights and a long random password, on a network apart.",
	.param = params,
	.common = AGENT_HAS_IP | AGENT_HAS_LOGIN | AGENT_HAS_SHELL | AGENT_HAS_METHOD,
	.action = actions,
	.state_bytes = sizeof(struct ipmilan),
	.validate = validate,
	.open = session_open,
	.close = session_close,
	.status = chassis_status,
	.set = power_set,
	.cycle = power_cycle,
};

int main(int argc, char **argv)
{
	return agent_main(&def, argc, argv);
}
