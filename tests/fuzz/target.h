/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/target.h - one decoder, for libFuzzer and for make check alike.
 *
 * tests/fuzz/NAME.c has LLVMFuzzerTestOneInput() for decoder NAME; its corpus, files that once were worth keeping, is
 * tests/fuzz/corpus/NAME/. tests/fuzz/libfuzzer runs them all under clang's libFuzzer, for a bounded time.
 */
#ifndef STOCKADE_TESTS_FUZZ_TARGET_H
#define STOCKADE_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* tests/fuzz/agent.c as struct fuzz wants it: 0 taken, negative refused. */
int fuzz_agent_stdin(void *arg, const void *buf, size_t len);

/* Feed every file of the corpus of @name ($top_srcdir/tests/fuzz/corpus/@name). Return: how many. */
unsigned fuzz_corpus(const char *name);

#endif
