# SPDX-License-Identifier: GPL-3.0-or-later
# fence_agents/doctor: which hop to a fence device drops. core/ is pure: lib/*.h and itself.
noinst_LTLIBRARIES += %reldir%/core/libdoctor-core.la
%C%_core_libdoctor_core_la_SOURCES = \
	%reldir%/core/diagnose.c \
	%reldir%/core/diagnose.h \
	%reldir%/core/internal.h \
	%reldir%/core/said.c \
	%reldir%/core/words.c

pkglibexec_PROGRAMS += %reldir%/stockade-fence-doctor
%C%_stockade_fence_doctor_SOURCES = \
	%reldir%/bmc.c \
	%reldir%/doctor.h \
	%reldir%/ear.c \
	%reldir%/host.c \
	%reldir%/look.c \
	%reldir%/main.c \
	%reldir%/packet.c \
	%reldir%/packet.h \
	%reldir%/virt.c
%C%_stockade_fence_doctor_LDADD = \
	%reldir%/core/libdoctor-core.la \
	fence_agents/virt/libfence-virt-wire.la \
	lib/shell/libstockade-shell.la \
	lib/libstockade-base.la \
	$(SHELL_LIBS)

check_PROGRAMS += tests/unit/doctor
tests_unit_doctor_SOURCES = tests/unit/doctor.c
tests_unit_doctor_LDADD = %reldir%/core/libdoctor-core.la $(CMOCKA_LIBS)
