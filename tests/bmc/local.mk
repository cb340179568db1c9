# SPDX-License-Identifier: GPL-3.0-or-later
# test_bmc: what fence_ipmilan is tested against, for the laboratories only: built and never installed.
noinst_PROGRAMS += %reldir%/test_bmc
%C%_test_bmc_SOURCES = \
	%reldir%/bmc.c \
	%reldir%/rakp.c \
	%reldir%/rakp.h
%C%_test_bmc_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
%C%_test_bmc_LDADD = $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/bmc_rakp
tests_unit_bmc_rakp_SOURCES = tests/unit/bmc_rakp.c %reldir%/rakp.c %reldir%/rakp.h
tests_unit_bmc_rakp_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS)
tests_unit_bmc_rakp_LDADD = $(CRYPTO_LIBS) $(CMOCKA_LIBS)
