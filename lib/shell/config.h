/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h - /etc/stockade/stockade.yaml, read once, whole, with errors like a good compiler's.
 *
 *   stockade.yaml:14:9: error: unknown key "moutn" in volume "webdata"
 *       moutn: /var/www/html
 *       ^~~~~
 *   expected one of: fs, iscsi, lv, mount, ...; did you mean "mount"?
 *
 * Everything is checked here, cross references too, so that a daemon can believe what it holds. All errors are
 * reported, in the order of the file. Names match [A-Za-z0-9][A-Za-z0-9_.-]{0,62}. Nodes are kept by id, everything else
 * whose order has no meaning by name: two nodes with equal hashes have equal indexes. Format: stockade.yaml(5).
 */
#ifndef STOCKADE_CONFIG_H
#define STOCKADE_CONFIG_H

#include "../nodeset.h"
#include "../timing.h"

#include <stdbool.h>
#include <stdio.h>

#define CONFIG_PATH "/etc/stockade/stockade.yaml"
#define CONFIG_NAME_MAX 64
#define CONFIG_PATH_MAX 256
#define CONFIG_LINKS_MAX 2
#define CONFIG_DEVICES_MAX 48
#define CONFIG_PARAMS_MAX 24
#define CONFIG_LEVELS_MAX 8
#define CONFIG_METHOD_MAX 4
#define CONFIG_USE_PARAMS_MAX 64 /* of all nodes together */
#define CONFIG_CONCURRENCY_MAX 4
#define CONFIG_LOOP_MAX 8
#define CONFIG_PINGS_MAX 4
#define CONFIG_VOLUMES_MAX 32
#define CONFIG_DOMAINS_MAX 16
#define CONFIG_SERVICES_MAX 32
#define CONFIG_RESOURCES_MAX 16

struct config_param { /* goes to the agent as key=value on stdin */
	char key[CONFIG_NAME_MAX];
	char value[CONFIG_PATH_MAX]; /* never a secret: those are named by file */
	bool secret_file; /* written "password_file": key is "password", value a path; send its content (config_secret_read()) */
};

struct config_device { /* fence_devices: NAME: {agent: fence_xvm, ...} */
	char name[CONFIG_NAME_MAX];
	char agent
		[CONFIG_PATH_MAX]; /* a name (looked up in /usr/sbin and libexec/stockade) or an absolute path */
	bool attest; /* its hypervisors are asked to tell of deaths (fence_xvm with stockade-virtd; SAFE-11) */
	char attest_host
		[CONFIG_NAME_MAX]; /* their address; "": whoever answers on the agent's multicast group */
	uint16_t attest_port;
	bool storage; /* cuts a node off from storage and leaves it running (cuts: storage); proof storage_cut */
	unsigned n_params; /* ascending key */
	struct config_param param[CONFIG_PARAMS_MAX];
	uint32_t concurrency; /* so many runs at a time; 1 */
};

struct config_fence_use {           /* one device as used for one node */
	unsigned device;            /* index into config.device */
	char plug[CONFIG_NAME_MAX]; /* sent as port= (or plug=); "": the device has one plug */
	unsigned first_param,
		n_params; /* in config.use_param: of this node, they go before the device's */
};

struct config_method {
	unsigned n; /* several: all off, then all on */
	struct config_fence_use use[CONFIG_METHOD_MAX];
};

struct config_node {
	char name[CONFIG_NAME_MAX];
	uint32_t id;
	unsigned n_links;
	char link[CONFIG_LINKS_MAX][CONFIG_NAME_MAX]; /* addresses or host names, link0 first */
	unsigned n_levels;
	struct config_method level[CONFIG_LEVELS_MAX]; /* in the order to try */
	struct config_method
		unfence; /* it switches these on for itself before it joins; n 0: none */
};

/* When fenced arms this node's watchdog: when some node's fence levels name it (auto), always, never. */
enum config_watchdog { CONFIG_WATCHDOG_AUTO = 0, CONFIG_WATCHDOG_ON, CONFIG_WATCHDOG_OFF };

enum config_fs { CONFIG_FS_EXT4 = 1, CONFIG_FS_XFS };

struct config_volume {
	char name[CONFIG_NAME_MAX];
	bool iscsi; /* else a local or SAN disk: portal and target empty */
	char portal
		[CONFIG_NAME_MAX]; /* "192.0.2.1:3260", "[2001:db8::1]:3260"; port always present */
	char target[CONFIG_PATH_MAX];
	char chap_username[CONFIG_NAME_MAX]; /* "": no CHAP */
	char chap_password_file[CONFIG_PATH_MAX];
	char vg[CONFIG_NAME_MAX * 2], lv[CONFIG_NAME_MAX * 2];
	char file
		[CONFIG_PATH_MAX]; /* for tests: a directory that plays the disk; then no iscsi, vg, lv, fs */
	enum config_fs fs;
	char mount[CONFIG_PATH_MAX];
	char options[CONFIG_PATH_MAX]; /* mount options; checked; _netdev is always added */
	bool reservations; /* registered nodes alone may write (SCSI-3 persistent reservations) */
	bool reservations_volatile; /* reservations: volatile: also where the target forgets them at its restart */
	bool fsck_preen; /* fsck: preen runs e2fsck -p before each mount; default journal replay only */
};

struct config_domain {
	char name[CONFIG_NAME_MAX];
	unsigned n_nodes;
	uint32_t node[NODES_MAX]; /* nodeids, in the written order */
	bool ordered, restricted, failback;
};

enum config_resource_type {
	CONFIG_RES_VOLUME = 1, /* ref: volume name */
	CONFIG_RES_IP,         /* ref: "192.0.2.100/24" or v6 with prefix; interface optional */
	CONFIG_RES_UNIT,       /* ref: systemd unit, ".service" added when there is no suffix */
	CONFIG_RES_SCRIPT,     /* ref: program called with start|stop|status (LSB codes) */
};

struct config_resource {
	enum config_resource_type type;
	char ref[CONFIG_PATH_MAX];
	unsigned volume;    /* CONFIG_RES_VOLUME: index into config.volume */
	char interface[16]; /* CONFIG_RES_IP: "" = by the subnet */
	bool warm; /* CONFIG_RES_UNIT, _SCRIPT: what it starts from is kept in memory where it may run next */
	uint32_t start_ms, stop_ms, monitor_ms; /* time limits; monitor_ms is the interval */
};

struct config_service {
	char name[CONFIG_NAME_MAX];
	unsigned domain; /* index; UINT_MAX: any node */
	bool enabled;    /* at first sight; later the operator's word counts */
	unsigned n_resources;
	struct config_resource
		resource[CONFIG_RESOURCES_MAX]; /* start left to right, stop right to left */
	uint32_t restarts; /* local restarts before it moves: within restart_window_ms */
	uint32_t restart_window_ms;
};

struct config {
	char path[CONFIG_PATH_MAX];
	char cluster[CONFIG_NAME_MAX];
	uint32_t detect_ms;
	struct timing_in timing_in;
	struct timing timing; /* solved */
	bool fence_reboot; /* fence_action: reboot (default) switches on again after the proof; off does not */
	unsigned
		loop_max; /* fence_loop: fenced so often within loop_ms, it waits to be let in; 0: off */
	uint32_t loop_ms;
	enum config_watchdog watchdog;
	char watchdog_device[CONFIG_PATH_MAX];
	bool watchdog_storage, watchdog_daemons; /* what counts beside quorum: both by default */
	unsigned n_pings; /* addresses outside of the cluster: who reaches one is on the network */
	char ping[CONFIG_PINGS_MAX][CONFIG_NAME_MAX];
	unsigned n_nodes;
	struct config_node node[NODES_MAX]; /* ascending id */
	unsigned n_devices;
	struct config_device device[CONFIG_DEVICES_MAX];
	unsigned n_use_params;
	struct config_param use_param[CONFIG_USE_PARAMS_MAX];
	unsigned n_volumes;
	struct config_volume volume[CONFIG_VOLUMES_MAX];
	unsigned n_domains;
	struct config_domain domain[CONFIG_DOMAINS_MAX];
	unsigned n_services;
	struct config_service service[CONFIG_SERVICES_MAX];
	uint64_t hash; /* of the meaning, not of the text: equal on two nodes = they agree */
};

/**
 * config_read() - parse and check a file.
 * @err:   where compiler-like errors go, NULL: nowhere
 * Return: the config (config_free() it), or NULL with errno: ENOENT, EACCES, EINVAL (errors were written)
 */
struct config *config_read(const char *path, FILE *err);
struct config *config_parse(const char *text, const char *path,
			    FILE *err); /* the same from memory, for tests */
struct config *config_free(struct config *cfg);

/* A daemon that cannot work with its configuration ends with this, and systemd leaves it so (RestartPreventExitStatus): the
 * error stands there once, not ten times a second. sysexits.h: EX_CONFIG. */
#define CONFIG_EXIT 78

const struct config_node *config_node_by_id(const struct config *cfg, uint32_t id);
const struct config_node *config_node_by_name(const struct config *cfg, const char *name);
const struct config_volume *config_volume_by_name(const struct config *cfg, const char *name);
const struct config_service *config_service_by_name(const struct config *cfg, const char *name);
struct nodeset config_nodes(const struct config *cfg);
/* Does all of it cut off storage, and nothing switch off power? */
bool config_method_storage(const struct config *cfg, const struct config_method *m);
bool config_is_watchdog(const struct config_device *dev); /* no agent is run for it */
bool config_uses_watchdog(const struct config *cfg);      /* fenced is to arm it here */

const char *config_fs_name(enum config_fs fs);                         /* "ext4" */
const char *config_resource_type_name(enum config_resource_type type); /* "volume" */

/* Which configured node is this machine? By nodeid from corosync; else by host name. NULL: none. */
const struct config_node *config_self(const struct config *cfg, uint32_t corosync_nodeid);

#define CONFIG_SECRET_MAX 256

/**
 * config_secret_read() - read a secret from its own file.
 * The file is regular (no link), belongs to root or to us, and only its owner may touch it; one line, the newline is cut off.
 * Return: 0; or -errno, @buf is then empty and @why says what to do, naming the file, never its content
 */
int config_secret_read(const char *path, char *buf, size_t len, char *why, size_t why_len);

#endif
