/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a diagnosis says: one sentence, what was seen, and what to do. {name} stands for a fact. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *text;
	const char *remedy[DOCTOR_REMEDY_MAX];
} words[DOCTOR_CAUSES_N] = {
	[DOCTOR_UNTOLD] = { "what was seen fits nothing that is known, so whether {device} can fence {node} is unknown",
			    { "stockade doctor fence --json, and run the agent by hand: {path} -o status -v" } },
	[DOCTOR_NOT_MADE] = { "it was not checked, so whether {device} can fence {node} is unknown: {words}",
			      { "stockade doctor fence --local, on {self}" } },
	[DOCTOR_OK] = { "{device} answers for {node}", { NULL } },
	[DOCTOR_SNOOPING_SOON] = { "{device} answers now, but the IGMP querier fell silent: bridge {bridge} snoops, and will forget who "
				   "listens to {group}",
				   { "ip link set dev {bridge} type bridge mcast_querier 1   (on the machine that has {bridge})",
				     "or find out why the querier stopped" } },
	[DOCTOR_PORT_TAKEN] = { "{device} answers, but another program listens on TCP port {port} here, where hypervisors call back: "
				"an agent then uses another port, which firewalls do not know",
				{ "ss -Hltnp 'sport = :{port}'   (who is it?)" } },
	[DOCTOR_DOG_SOFT] = { "the watchdog of {self} is software: it does not fire when the kernel itself hangs",
			      { "use the machine's own device (i6300esb, iTCO_wdt, ipmi_watchdog): watchdog_device in stockade.yaml" } },
	[DOCTOR_AGENT_MISSING] = { "there is no program {path} on {self}",
				   { "apt-get install fence-agents fence-virt   (or mend agent: in stockade.yaml)" } },
	[DOCTOR_SECRET] = { "{self} cannot use its key or password: {words}",
			    { "ls -l {secret}   (there? then chmod 600 {secret}; empty or of another owner?)",
			      "stockade key push {self}   (a key that is not there: from a node that has it; stockade key new: the "
			      "first one)" } },
	[DOCTOR_OTHER_PLUG] = { "{device} says that {plug} is off, but {node} runs: the plug is another machine's, and that one would be "
				"switched off",
				{ "{path} -o list   (which plug is {node}?), then mend fence: of {node} in stockade.yaml" } },
	[DOCTOR_NO_ADDRESS] = { "{self} has no address from which it could ask: no interface that is up has one of that family",
				{ "ip -br address; ip link set dev INTERFACE up" } },
	[DOCTOR_FIREWALL_OUT] = { "{self}'s own firewall does not let the request out (UDP port {port})",
				  { "nft insert rule inet filter output udp dport {port} accept",
				    "nft list ruleset   (which rule drops it?)" } },
	[DOCTOR_NO_ROUTE] = { "{self} has no route to {peer}",
			      { "ip route get {peer}",
				"ip route add {peer} via GATEWAY dev INTERFACE" } },
	[DOCTOR_NO_HOST] = { "nobody is there at {peer}: it does not answer as a neighbour, so the machine is off, or the cable or "
			     "the VLAN is wrong",
			     { "ip neigh show {peer}; ping -c 3 {peer}" } },
	[DOCTOR_WRONG_INTERFACE] = { "the hypervisor's daemon listens to {group} on its interface {joined} only, and {self} is reached "
				     "by {heard}",
				     { "on {peer}, in fence_virt.conf: listeners { multicast { interface = \"{heard}\"; } }, then "
				       "systemctl restart stockade-virtd" } },
	[DOCTOR_WRONG_WAY_BACK] = { "the hypervisor {syn_from} calls back by {syn_iface}, but {self} answers it by {back_iface}: the "
				    "route to it leads out of the wrong interface",
				    { "ip route add {syn_from} dev {syn_iface}",
				      "ip route get {syn_from}" } },
	[DOCTOR_NAT] = { "somebody rewrites addresses on the way (NAT): {self} asks from {from}, the hypervisor sees {source}, and its "
			 "call-back to {from} does not arrive",
			 { "nft list ruleset   (on {self} and on routers: which masquerade or snat rule? take {peer} out of it)",
			   "or use ip: {peer} for {device} (TCP, no call-back), with listener = \"tcp\" in its fence_virt.conf" } },
	[DOCTOR_SNOOPING] = { "multicast to {group} is lost on the way to {peer}, unicast is not: a bridge or switch snoops IGMP and "
			      "nobody queries, so it forgot who listens",
			      { "ip link set dev {bridge} type bridge mcast_querier 1   (or mcast_snooping 0; on the machine that "
				"has {bridge})",
				"on a switch: enable its IGMP querier for this VLAN" } },
	[DOCTOR_MULTICAST_LOST] = { "multicast to {group} is lost on the way to {peer}, unicast is not",
				    { "look for a firewall rule or switch that drops {group}; on {peer}: nft list ruleset",
				      "or use ip: {peer} (TCP) instead of multicast" } },
	[DOCTOR_NO_DAEMON] = { "{peer} is there, but nobody listens on its port {port}: no fence_virtd runs there (or a firewall "
			       "rejects, which looks the same)",
			       { "on {peer}: systemctl enable --now stockade-virtd   (why not? stockade-virtd --check)",
				 "on {peer}: ss -lnptu 'sport = :{port}'   (a line: it runs, so look at nft list ruleset)" } },
	[DOCTOR_FIREWALL_UDP] = { "{peer} is there, and its UDP port {port} does not answer: a firewall on the way or on it drops "
				  "requests, or its daemon hangs",
				  { "on {peer}: stockade-virtd --status   (an answer: it is the firewall; none: it hangs, systemctl "
				    "restart stockade-virtd)",
				    "on {peer}: nft list ruleset   (which rule drops it?)",
				    "on {peer}: nft insert rule inet filter input udp dport {port} accept   (firewalld: firewall-cmd "
				    "--add-port={port}/udp)" } },
	[DOCTOR_FIREWALL_TCP] = { "TCP to port {port} of {peer} does not get through: a firewall drops it",
				  { "on {peer}: nft insert rule inet filter input tcp dport {port} accept" } },
	[DOCTOR_FIREWALL_OR_KEY] = { "{peer} is there, and its UDP port {port} is silent, not closed: either a firewall drops what {self} "
				     "sends, or the stock fence_virtd has another key, wants a stronger hash or hangs (libvirt), of which it says nothing",
				     { "sha256sum {secret}   (here, and of the key_file in fence_virt.conf on {peer}: the same?)",
				       "on {peer}: systemctl stop fence_virtd; fence_virtd -F -d 99; then here: {path} -o list -k {secret}   "
				       "(it prints \"Key mismatch\": the key; nothing: the network); systemctl start fence_virtd",
				       "on {peer}: nft list ruleset   (which rule drops UDP port {port}?)" } },
	[DOCTOR_SILENT] = { "no answer to UDP port {port}, and what was seen does not tell why: a firewall drops it, nobody runs there, "
			    "or the daemon is the stock fence_virtd with another key or a stronger hash, or whose libvirt is gone, of which it says nothing",
			    { "name the hypervisors of {device} in stockade.yaml (hypervisors: ADDRESS), so that they can be asked one by "
			      "one; then again",
			      "on the hypervisor: systemctl status stockade-virtd fence_virtd; nft list ruleset; ip maddr show",
			      "sha256sum {secret}   (here, and of the key_file in fence_virt.conf there: the same?)" } },
	[DOCTOR_KEY] = { "{peer} has another key than {self}",
			 { "stockade key verify",
			   "stockade key push {self}   (from a node whose key is right)" } },
	[DOCTOR_FIREWALL_BACK_HERE] = { "{self}'s own firewall drops the hypervisor's call-back: TCP to port {port} here, from "
					"{syn_from} by {syn_iface}",
					{ "nft insert rule inet filter input tcp dport {port} accept   (on {self})",
					  "nft list ruleset   (which rule drops it?)" } },
	[DOCTOR_FIREWALL_BACK] = { "the request arrives and the key is right, but the hypervisor's call-back (TCP to port {port} of "
				   "{self}) does not come through: a firewall between {peer} and {self} drops it",
				   { "on {peer}: nft insert rule inet filter output tcp dport {port} accept   (and forward, on bridges)",
				     "on {peer}: nft list ruleset   (which rule drops it?)" } },
	[DOCTOR_DENIED] = { "the hypervisor's map does not let {self} fence {plug}",
			    { "on {peer}, in fence_virt.conf: groups { group { ip = \"{from}\"; uuid = \"{plug}\"; } }, then systemctl "
			      "reload stockade-virtd" } },
	[DOCTOR_GUEST] = { "no hypervisor that answers has a guest {plug}",
			   { "{path} -o list -k {secret}   (which names are there?), then mend fence: of {node} in stockade.yaml",
			     "on {peer}: virsh list --all" } },
	[DOCTOR_LIBVIRT] = { "the hypervisor's daemon answers, but its libvirt does not: {words}",
			     { "on {peer}: systemctl restart libvirtd   (guests go on running)",
			       "on {peer}: stockade-virtd --status   (all libvirts up again?)" } },
	[DOCTOR_RATE] = { "the hypervisor refuses: {self} asked more often in the last minute than it permits (rate limit)",
			  { "find out what asks so often: on {peer}: stockade-virtd --status; journalctl -u stockade-virtd -n 50",
			    "or raise queries_per_minute in section stockade of its fence_virt.conf, then systemctl reload "
			    "stockade-virtd" } },
	[DOCTOR_STUCK] = { "the hypervisor's daemon takes the request and then says nothing: it hangs, mostly because its libvirt does, "
			   "or its auth is another",
			   { "on {peer}: timeout 5 virsh list   (no answer: systemctl restart libvirtd)",
			     "on {peer}: systemctl restart stockade-virtd   (or fence_virtd)",
			     "on {peer}: auth in fence_virt.conf (sha256 if not given) and auth: of {device}: the same?" } },
	[DOCTOR_DAEMON_FAILED] = { "the hypervisor answers with a failure: {words}",
				   { "on {peer}: journalctl -u stockade-virtd -u fence_virtd -n 50",
				     "{path} -o list" } },
	[DOCTOR_FIREWALL_IN] = { "{peer} answers, and {self}'s own firewall drops the answer (UDP from port {port})",
				 { "nft insert rule inet filter input udp sport {port} accept   (on {self})",
				   "nft list ruleset   (which rule drops it?)" } },
	[DOCTOR_NO_RMCP] = { "no BMC answers at {peer} UDP port {port}: IPMI over LAN is off there, it is no BMC, or a firewall drops it",
			     { "on its machine: ipmitool lan print 1; ipmitool lan set 1 access on",
			       "ipmiping {peer}   (from {self})" } },
	[DOCTOR_USER] = { "the BMC {peer} knows no such user, or does not let it in",
			  { "on its machine: ipmitool user list 1; ipmitool channel setaccess 1 USERID link=on ipmi=on privilege=3" } },
	[DOCTOR_PASSWORD] = { "the BMC {peer} does not take the password",
			      { "on its machine: ipmitool user set password USERID",
				"mend {secret} on every node" } },
	[DOCTOR_KG] = { "the BMC {peer} has another key (Kg)",
			{ "mend hexadecimal_kg of {device}" } },
	[DOCTOR_CIPHER] = { "the BMC {peer} does not take this cipher suite",
			    { "set cipher: \"3\" for {device} in stockade.yaml, if its firmware has no 17",
			      "on its machine: ipmitool lan print 1   (RMCP+ Cipher Suites)" } },
	[DOCTOR_PRIVILEGE] = { "the user has not the rights on the BMC {peer}: it could log in, and not switch",
			       { "on its machine: ipmitool user priv USERID 3 1   (operator)" } },
	[DOCTOR_BUSY] = { "the BMC {peer} answers, but falls silent during the login: it is overloaded, or has too many sessions",
			  { "ipmitool -I lanplus -H {peer} session info all",
			    "on its machine: ipmitool mc reset cold" } },
	[DOCTOR_OLD_BMC] = { "the BMC {peer} speaks no IPMI 2.0", { "update its firmware" } },
	[DOCTOR_STATE] = { "the BMC {peer} lets {self} in and does not tell the power state: without reading it back nothing is proven",
			   { "ipmitool -I lanplus -H {peer} -U USER -f {secret} chassis status",
			     "update its firmware, or give {node} a second level" } },
	[DOCTOR_NAME] = { "the address of {device} cannot be used: {words}",
			  { "write it as a number: ip: ADDRESS" } },
	[DOCTOR_NO_PR] = { "the target has no persistent reservations of the kind that is needed: {words}",
			   { "use another target (LIO has them), or another fence device" } },
	[DOCTOR_FORGETS] = { "the target forgets registrations when it restarts, and then lets a node that was cut off write again",
			     { "use a target that keeps them (LIO with APTPL, and a service that gives them back); or volatile_ok: \"1\" for {device} in stockade.yaml, if you accept it" } },
	[DOCTOR_NO_ABORT] = { "the target cannot PREEMPT AND ABORT: writes in flight could land after the cut",
			      { "use another target (LIO can, tgt cannot), or another fence device" } },
	[DOCTOR_DISK] = { "the disk is not there on {self}: {words}",
			  { "ls -l {disks}",
			    "iscsiadm -m session -P 3; iscsiadm -m node --login" } },
	[DOCTOR_PATH] = { "a path to the disk, or the registration on it, is missing on {self}: {words}",
			  { "multipath -ll; cat /sys/block/sd*/device/state",
			    "{path} -o repair   (registers on paths that came later, or again)" } },
	[DOCTOR_CUT] = { "{self} itself was cut off from the disk, and fences nobody by it",
			 { "systemctl reboot   (on {self})" } },
	[DOCTOR_COROSYNC] = { "corosync does not answer on {self}, so who is who is not known: {words}",
			      { "systemctl start corosync" } },
	[DOCTOR_NO_PLUG] = { "{device} has no plug {plug}: {words}",
			     { "{path} -o list, then mend fence: of {node} in stockade.yaml" } },
	[DOCTOR_AGENT_SAID] = { "{agent} fails: {words}",
				{ "{path} -o status -v   (with the parameters of {device})" } },
	[DOCTOR_AGENT_TIMEOUT] = { "{agent} had no answer in time",
				   { "{path} -o status -v   (with the parameters of {device})" } },
	[DOCTOR_DOG_MISSING] = { "there is no watchdog device on {self}",
				 { "modprobe i6300esb   (or iTCO_wdt, ipmi_watchdog; softdog where there is none)",
				   "stockade doctor watchdog" } },
	[DOCTOR_DOG_SHORT] = { "the watchdog of {self} cannot count to {dog_want} s, only to {dog_max} s",
			       { "lower detect: in stockade.yaml, or take another device" } },
	[DOCTOR_DOG_UNARMED] = { "the watchdog of {self} is not armed: nobody may count on it",
				 { "stockade status   (fenced arms it as a member of a quorate cluster)",
				   "stockade doctor watchdog" } },
};

/* --- {name} ---------------------------------------------------------------------------------------------------- */

static const char *bridge_of(const struct doctor_facts *f)
{
	return f->told_bridge.name[0] ? f->told_bridge.name
	       : f->bridge.name[0]    ? f->bridge.name
				      : "BRIDGE";
}

struct name {
	const char *name, *value;
};

static size_t put(char *to, size_t size, size_t n, const char *s)
{
	while (*s && n + 1 < size)
		to[n++] = *s++;
	to[n] = '\0';
	return n;
}

static void expand(const struct doctor_facts *f, const char *from, char to[DOCTOR_TEXT_MAX])
{
	char port[8], want[12], most[12], age[12], told_age[12], watched[12], told_watched[12];
	const struct name names[] = {
		{ "self", f->self },
		{ "node", f->node },
		{ "device", f->device },
		{ "plug", f->plug[0] ? f->plug : f->node },
		{ "agent", f->agent },
		{ "path", f->path[0] ? f->path : f->agent },
		{ "words", f->words },
		{ "group", f->group },
		{ "secret", f->secret[0] ? f->secret : "FILE" },
		{ "disks", f->disks },
		{ "port", port },
		{ "iface", f->iface },
		{ "from", f->from[0] ? f->from : "ADDRESS" },
		{ "peer", f->peer[0]              ? f->peer
			  : f->kind == DOCTOR_XVM ? "the hypervisor"
						  : f->device },
		{ "icmp_from", f->icmp_from },
		{ "bridge", bridge_of(f) },
		{ "here", f->bridge.name },
		{ "there", f->told_bridge.name },
		{ "syn_from", f->syn_from },
		{ "syn_iface", f->syn_iface },
		{ "back_iface", f->back_iface[0] ? f->back_iface : "no interface" },
		{ "joined", f->told_joined[0] ? f->told_joined : "every interface" },
		{ "heard", f->told_heard },
		{ "source", f->told_source },
		{ "back_error", f->told_back_words },
		{ "dog_want", want },
		{ "dog_max", most },
		{ "age", age },
		{ "watched", watched },
		{ "told_age", told_age },
		{ "told_watched", told_watched },
	};
	size_t n = 0;

	snprintf(port, sizeof(port), "%u", f->port);
	snprintf(want, sizeof(want), "%u", f->dog_want_s);
	snprintf(most, sizeof(most), "%u", f->dog_max_s);
	snprintf(age, sizeof(age), "%u", f->query.age_s);
	snprintf(watched, sizeof(watched), "%u", f->query.watched_s);
	snprintf(told_age, sizeof(told_age), "%u", f->told_query.age_s);
	snprintf(told_watched, sizeof(told_watched), "%u", f->told_query.watched_s);
	to[0] = '\0';
	while (*from && n + 1 < DOCTOR_TEXT_MAX) {
		const char *end = *from == '{' ? strchr(from, '}') : NULL;
		const struct name *found = NULL;

		for (size_t i = 0; end && i < sizeof(names) / sizeof(*names); i++)
			if (strlen(names[i].name) == (size_t)(end - from - 1) &&
			    memcmp(names[i].name, from + 1, (size_t)(end - from - 1)) == 0)
				found = &names[i];
		if (found) {
			n = put(to, DOCTOR_TEXT_MAX, n, found->value);
			from = end + 1;
		} else {
			to[n++] = *from++;
			to[n] = '\0';
		}
	}
}

/* --- what was seen ----------------------------------------------------------------------------------------------- */

typedef const struct doctor_facts facts;
#define SEEN(name, cond)           \
	static bool name(facts *f) \
	{                          \
		return cond;       \
	}
#define NETWORK (f->kind != DOCTOR_SCSI && f->kind != DOCTOR_WATCHDOG)
#define FAILED (f->run == DOCTOR_RUN_FAILED || f->run == DOCTOR_RUN_TIMEOUT)
#define SILENT                           \
	(f->run == DOCTOR_RUN_TIMEOUT || \
	 (f->run == DOCTOR_RUN_FAILED && \
	  (f->said == DOCTOR_SAID_NO_ANSWER || f->said == DOCTOR_SAID_OTHER)))
/* for less than an interval it means nothing */
#define LONG_UNHEARD(q) ((q).heard == DOCTOR_NO && (q).watched_s > 130)
SEEN(has_words, FAILED && f->words[0])
SEEN(timed_out, f->run == DOCTOR_RUN_TIMEOUT)
SEEN(sent, NETWORK && f->send == DOCTOR_SEND_OK && f->kind == DOCTOR_XVM && f->iface[0])
SEEN(sent_peer, NETWORK && f->send == DOCTOR_SEND_OK && f->kind != DOCTOR_XVM && f->iface[0])
SEEN(send_forbidden, f->send == DOCTOR_SEND_FORBIDDEN)
SEEN(send_no_route, f->send == DOCTOR_SEND_NO_ROUTE)
SEEN(route_none, f->route == DOCTOR_NO)
SEEN(group_good, f->to_group == DOCTOR_ECHO_GOOD)
SEEN(group_silent, f->to_group == DOCTOR_ECHO_SILENT)
SEEN(peer_good, f->to_peer == DOCTOR_ECHO_GOOD)
SEEN(peer_silent, f->to_peer == DOCTOR_ECHO_SILENT)
SEEN(key_wrong, f->to_group == DOCTOR_ECHO_KEY || f->to_peer == DOCTOR_ECHO_KEY)
SEEN(guessed, f->peer_guessed && f->to_peer != DOCTOR_ECHO_UNTRIED)
SEEN(icmp_port, f->icmp == DOCTOR_ICMP_PORT)
SEEN(icmp_host, f->icmp == DOCTOR_ICMP_HOST)
SEEN(icmp_net, f->icmp == DOCTOR_ICMP_NET)
SEEN(icmp_prohibited, f->icmp == DOCTOR_ICMP_PROHIBITED)
SEEN(alive, f->alive == DOCTOR_YES && SILENT)
SEEN(not_alive, f->alive == DOCTOR_NO)
SEEN(rmcp_yes, f->rmcp == DOCTOR_YES)
SEEN(rmcp_no, f->rmcp == DOCTOR_NO)
SEEN(wire_only, f->heard_only_wire == DOCTOR_YES)
/* what is said of a call-back is of one that failed: an agent that was answered had its connection */
SEEN(syn, f->syn == DOCTOR_YES && SILENT)
SEEN(syn_ack, f->syn_ack == DOCTOR_YES && SILENT)
SEEN(no_syn, f->syn == DOCTOR_NO && SILENT)
SEEN(other_way, f->back_same_iface == DOCTOR_NO && SILENT)
SEEN(told_back, f->told && f->told_back > 0)
SEEN(told_heard, f->told && f->told_heard[0])
SEEN(tcp_refused, f->tcp == DOCTOR_CONNECT_REFUSED)
SEEN(tcp_silent, f->tcp == DOCTOR_CONNECT_SILENT)
SEEN(snoops_here, f->bridge.snoops == DOCTOR_YES && f->bridge.queries == DOCTOR_NO)
SEEN(snoops_there, f->told_bridge.snoops == DOCTOR_YES && f->told_bridge.queries == DOCTOR_NO)
SEEN(query_never, f->kind == DOCTOR_XVM && SILENT && LONG_UNHEARD(f->query))
SEEN(query_long_ago, f->kind == DOCTOR_XVM && f->query.heard == DOCTOR_YES)
SEEN(told_query_never, f->told &&SILENT &&LONG_UNHEARD(f->told_query))
SEEN(told_query, f->told && f->told_query.heard == DOCTOR_YES)
SEEN(taken, f->port_taken)

static const struct {
	bool (*seen)(facts *f);
	const char *text;
} seen[] = {
	{ has_words, "{agent}: {words}" },
	{ timed_out, "{agent} did not end in time" },
	{ send_forbidden, "sending to UDP port {port}: operation not permitted" },
	{ send_no_route, "sending: network is unreachable" },
	{ route_none, "the kernel has no route to {peer}" },
	{ sent, "requests to {group}:{port} left by {iface} from {from}" },
	{ sent_peer, "requests to {peer}:{port} left by {iface} from {from}" },
	{ key_wrong, "{peer} heard the probe, and says that it is signed with another key" },
	{ group_good, "a probe to {group} was answered by {peer}, with the right key" },
	{ group_silent, "no answer to a probe to {group}" },
	{ peer_good, "a probe to {peer} by unicast was answered, with the right key" },
	{ peer_silent, "no answer to a probe to {peer} by unicast" },
	{ guessed, "{peer} is only a guess, the default gateway: no hypervisors: are named" },
	{ told_heard,
	  "the hypervisor heard {source} by its {heard}; its group is joined on {joined}" },
	{ snoops_there,
	  "the hypervisor's bridge {there}: multicast_snooping 1, multicast_querier 0" },
	{ snoops_here, "bridge {here} here: multicast_snooping 1, multicast_querier 0" },
	{ told_query_never, "the hypervisor has heard no IGMP query for {told_watched} s" },
	{ told_query, "the hypervisor heard its last IGMP query {told_age} s ago" },
	{ query_never, "no IGMP query was heard here for {watched} s" },
	{ query_long_ago, "the last IGMP query was heard here {age} s ago" },
	{ syn,
	  "TCP from {syn_from} to port {port} came to {syn_iface}, and no connection came of it" },
	{ syn_ack, "{self} answered it by {back_iface}" },
	{ other_way, "the route to {syn_from} goes out by {back_iface}" },
	{ no_syn, "no TCP packet for port {port} came to any interface" },
	{ told_back, "the hypervisor's last call-back to here: {back_error}" },
	{ icmp_port, "{icmp_from} says: port unreachable" },
	{ icmp_host, "{icmp_from} says: host unreachable" },
	{ icmp_net, "{icmp_from} says: network unreachable" },
	{ icmp_prohibited, "{icmp_from} says: administratively prohibited" },
	{ tcp_refused, "TCP to {peer} port {port}: connection refused" },
	{ tcp_silent, "TCP to {peer} port {port}: no answer" },
	{ wire_only, "an answer of {peer} came to {iface}, and no socket got it" },
	{ rmcp_yes, "{peer} answers an IPMI question without login" },
	{ rmcp_no, "no answer to an IPMI question without login" },
	{ alive, "{peer} itself is there (ping, or as a neighbour)" },
	{ not_alive, "{peer} does not answer as a neighbour" },
	{ taken, "another program listens on TCP port {port}" },
};

void doctor_words(const struct doctor_facts *f, struct doctor_diagnosis *ret)
{
	expand(f, words[ret->cause].text, ret->text);
	bool quoted = strstr(words[ret->cause].text, "{words}") != NULL;

	for (size_t i = 0; i < sizeof(seen) / sizeof(*seen) && ret->n_seen < DOCTOR_SEEN_MAX; i++)
		if (seen[i].seen(f) && !(quoted && seen[i].seen == has_words))
			expand(f, seen[i].text, ret->seen[ret->n_seen++]);
	for (unsigned i = 0; i < DOCTOR_REMEDY_MAX && words[ret->cause].remedy[i]; i++)
		expand(f, words[ret->cause].remedy[i], ret->remedy[ret->n_remedy++]);
}
