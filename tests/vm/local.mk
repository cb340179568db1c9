# SPDX-License-Identifier: GPL-3.0-or-later
# The guests' own programs. tests/vm/image compiles them for itself, as it must work before a configure; here
# they meet the warnings and the formatter like all C.
noinst_PROGRAMS += tests/vm/guest/agent tests/vm/guest/append tests/vm/guest/init
tests_vm_guest_agent_SOURCES = tests/vm/guest/agent.c
tests_vm_guest_append_SOURCES = tests/vm/guest/append.c
tests_vm_guest_init_SOURCES = tests/vm/guest/init.c
