/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli.h - daemons that say what a file tells them to, for the tests of the stockade command. */
#ifndef STOCKADE_TEST_CLI_H
#define STOCKADE_TEST_CLI_H

#include <sys/types.h>

/**
 * stub_start() - a process that answers on the socket of @daemon ("fenced") as @path says.
 * The file is an object: request name -> reply, or -> a list of replies, one after the other, the last one for ever.
 * "why" is an object: name -> reply, or "kind:name" -> reply. "hang": true: never answers.
 * Return: its pid, after it listens.
 */
pid_t stub_start(const char *daemon, const char *path);
void stub_stop(pid_t pid);

#endif
