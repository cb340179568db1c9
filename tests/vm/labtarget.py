# SPDX-License-Identifier: GPL-3.0-or-later
"""A storage guest: the kernel's own target (LIO) over iSCSI, made of nothing but configfs.

	target = Target(lab.node(3))         # a guest that is no cluster node
	target.up()
	target.login(lab.node(1))            # the disk's path in that node

tgt, which the laboratory has otherwise, neither aborts commands in flight (PREEMPT AND ABORT) nor keeps registrations.
"""
IQN = "iqn.2026-11.test:lio"
ROOT = "/sys/kernel/config/target"
PORTAL_LINK = 1
# The file has one block a registration, PR_REG_START to PR_REG_END; the kernel takes one at a time, apart by commas.
RESTORE = r"""
            saved=/var/target/pr/aptpl_5afe0000-0000-4000-8000-000000000001
            [ ! -s $saved ] || tr -d '\0' < $saved | awk '/^PR_REG_START/ { r = ""; next } /^PR_REG_END/ { print r; next }
                NF { r = r (r ? "," : "") $0 }' | while read -r r; do echo "$r" > pr/res_aptpl_metadata; done
"""


class Target:
    def __init__(self, node, mib=64, file="/var/lib/lio.img"):
        self.node, self.mib, self.file = node, mib, file
        self.portal = f"{node.addr(PORTAL_LINK)}:3260"

    def up(self, keep=True):
        """Make the disk (once) and offer it. Any initiator may log in: the network ends in the laboratory.
        @keep: give the kernel back the registrations that it wrote down. It does not read them by itself; target services
        that do not do it either forget every registration at a restart, whatever the target says of itself."""
        keep = keep and RESTORE
        self.node.sh(f"""set -e
            modprobe -a target_core_mod target_core_file iscsi_target_mod
            mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
            mkdir -p /var/target/pr /var/target/alua
            [ -e {self.file} ] || truncate -s {self.mib}M {self.file}
            mkdir -p {ROOT}/core/fileio_0/disk
            cd {ROOT}/core/fileio_0/disk
            echo fd_dev_name={self.file},fd_dev_size={self.mib * 1048576} > control
            echo 5afe0000-0000-4000-8000-000000000001 > wwn/vpd_unit_serial
            echo 1 > enable
            {keep if keep else ""}
            tpg={ROOT}/iscsi/{IQN}/tpgt_1
            mkdir -p $tpg/lun/lun_1
            ln -s {ROOT}/core/fileio_0/disk $tpg/lun/lun_1/disk
            echo 0 > $tpg/attrib/authentication
            echo 1 > $tpg/attrib/generate_node_acls
            echo 0 > $tpg/attrib/demo_mode_write_protect
            mkdir $tpg/np/{self.portal}
            echo 1 > $tpg/enable""")

    def down(self):
        """As after a power cut of the storage host: nobody is logged in, and what was only in memory is gone."""
        self.node.sh(f"""set -e
            tpg={ROOT}/iscsi/{IQN}/tpgt_1
            echo 0 > $tpg/enable
            rmdir $tpg/np/*
            rm $tpg/lun/lun_1/disk
            rmdir $tpg/lun/lun_1 $tpg {ROOT}/iscsi/{IQN}
            rmdir {ROOT}/core/fileio_0/disk""")

    def login(self, node, timeout=60):
        """Log in from a node; the path of the disk there."""
        path = f"/dev/disk/by-path/ip-{self.portal}-iscsi-{IQN}-lun-1"
        node.sh(f"""set -e
            iscsiadm -m node -o new -T {IQN} -p {self.portal} >/dev/null
            iscsiadm -m node -o update -T {IQN} -p {self.portal} -n node.session.timeo.replacement_timeout -v 5
            iscsiadm -m session | grep -q {IQN} || iscsiadm -m node -T {IQN} -p {self.portal} --login >/dev/null
            for i in $(seq 100); do [ -e {path} ] && exit 0; sleep 0.1; done; exit 1""", timeout=timeout)
        return path
