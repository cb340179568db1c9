# SPDX-License-Identifier: GPL-3.0-or-later
# storaged/drivers: volumes, addresses, units, scripts; run in forked children of storaged.
noinst_LTLIBRARIES += %reldir%/libstoraged-drivers.la
%C%_libstoraged_drivers_la_SOURCES = \
	%reldir%/area.c \
	%reldir%/area.h \
	%reldir%/beat.c \
	%reldir%/deny.c \
	%reldir%/deny.h \
	%reldir%/dm.c \
	%reldir%/word.c \
	%reldir%/word.h \
	%reldir%/dm.h \
	%reldir%/driver.c \
	%reldir%/driver.h \
	%reldir%/epoch.c \
	%reldir%/epoch.h \
	%reldir%/file.c \
	%reldir%/fs.c \
	%reldir%/fs.h \
	%reldir%/ip.c \
	%reldir%/iscsi.c \
	%reldir%/iscsi.h \
	%reldir%/line.c \
	%reldir%/lvm.c \
	%reldir%/lvm.h \
	%reldir%/lvm_report.c \
	%reldir%/lvm_report.h \
	%reldir%/mounts.c \
	%reldir%/mounts.h \
	%reldir%/neigh.c \
	%reldir%/neigh.h \
	%reldir%/op.c \
	%reldir%/op.h \
	%reldir%/owner.c \
	%reldir%/owner.h \
	%reldir%/pv.c \
	%reldir%/pv.h \
	%reldir%/reach.c \
	%reldir%/reach.h \
	%reldir%/reserve.c \
	%reldir%/reserve.h \
	%reldir%/run.c \
	%reldir%/run.h \
	%reldir%/script.c \
	%reldir%/unit.c \
	%reldir%/volume.c \
	%reldir%/warm.c \
	%reldir%/warm.h \
	%reldir%/warm_package.c \
	%reldir%/warm_unit.c \
	%reldir%/volume_new.c
%C%_libstoraged_drivers_la_LIBADD = lib/shell/libstockade-shell.la $(DEVMAPPER_LIBS) \
	$(MOUNT_LIBS) $(BLKID_LIBS) $(OPENISCSIUSR_LIBS) $(NETTLE_LIBS) -lpthread

# liblvm2cmd lives in a process of its own: it cannot be killed while a disk hangs.
pkglibexec_PROGRAMS += %reldir%/stockade-lvm
%C%_stockade_lvm_SOURCES = %reldir%/lvm_helper.c
%C%_stockade_lvm_LDADD = $(LVM2CMD_LIBS) $(JANSSON_LIBS)

# For tests/interop/disk.py.
noinst_PROGRAMS += tests/interop/areatest
tests_interop_areatest_SOURCES = tests/interop/areatest.c
tests_interop_areatest_LDADD = %reldir%/libstoraged-drivers.la

# One operation by hand, for the laboratory.
noinst_PROGRAMS += %reldir%/drvtest
%C%_drvtest_SOURCES = %reldir%/drvtest.c
%C%_drvtest_LDADD = %reldir%/libstoraged-drivers.la

check_PROGRAMS += tests/unit/warm
tests_unit_warm_SOURCES = tests/unit/warm.c
tests_unit_warm_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/epoch tests/unit/pv tests/unit/neigh tests/unit/driver_line
tests_unit_epoch_SOURCES = tests/unit/epoch.c tests/fuzz/disk.c
tests_unit_epoch_LDADD = tests/fuzz/libfuzz.la %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)
tests_unit_pv_SOURCES = tests/unit/pv.c
tests_unit_pv_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)
tests_unit_neigh_SOURCES = tests/unit/neigh.c
tests_unit_neigh_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)
tests_unit_driver_line_SOURCES = tests/unit/driver_line.c
tests_unit_driver_line_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/area_faults
tests_unit_area_faults_SOURCES = tests/unit/area_faults.c
tests_unit_area_faults_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/file_volume
tests_unit_file_volume_SOURCES = tests/unit/file_volume.c
tests_unit_file_volume_LDADD = %reldir%/libstoraged-drivers.la $(CMOCKA_LIBS)
