// SPDX-License-Identifier: GPL-3.0-or-later
/* fence_agents/virt/echo on arbitrary bytes: the first byte chooses who hears them (who answers, or who asked). For libFuzzer, and
 * for tests/unit/virt_echo.c, which feeds it the corpus and damaged messages.
 */
#include "fence_agents/virt/echo.h"
#include "fence_agents/virt/wire.h"
#include "tests/fuzz/target.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const uint8_t key_bytes[] = "0123456789abcdef0123456789abcdef";
static const uint8_t other_bytes[] = "another key, which came afterwards";
static const struct echo_key keys[] = { { key_bytes, 32 }, { other_bytes, 34 } };
static const uint8_t nonce[2][ECHO_NONCE_BYTES] = { { 1, 2, 3 }, { 4, 5, 6 } };

static void as_who_answers(const uint8_t *data, size_t len)
{
	uint8_t out[ECHO_BYTES], id[ECHO_ID_BYTES];
	struct echo_answer a = { .role = ECHO_VIRTD, .keys = 2, .host = "host" }, got;
	int r = echo_check(data, len, keys, 2, id);

	assert(r < 2 && (r >= 0 || r == -EBADMSG || r == -EKEYREJECTED));
	if (r == -EBADMSG)
		return;
	if (r >= 0) {
		a.slot = (uint8_t)r;
		assert(echo_answer(out, data, &keys[r], &a, nonce[0]) == 0);
		assert(echo_judge(out, sizeof(out), &keys[r],
				  (const uint8_t(*)[ECHO_NONCE_BYTES])(data + 8), 1,
				  &got) == ECHO_SAME);
		assert(got.slot == r && strcmp(got.host, "host") == 0);
	} else {
		echo_refuse(out, data, ECHO_OTHER_KEY);
	}
	/* no answer is a question or a request, whatever was asked */
	assert(echo_check(out, sizeof(out), keys, 2, id) == -EBADMSG);
	assert(!virt_request_verify(out, sizeof(out), key_bytes, 32));
}

static void as_who_asked(const uint8_t *data, size_t len)
{
	struct echo_answer a = { .keys = 77 };
	enum echo_verdict v = echo_judge(data, len, &keys[0], nonce, 2, &a);

	assert((v == ECHO_SAME) == (a.keys != 77 || (v == ECHO_SAME && data[6] == 77)));
	if (v == ECHO_SAME)
		for (const char *p = a.host; *p; p++)
			assert(*p > ' ' && *p < 0x7f);
	if (echo_is(data, len))
		assert(!virt_request_verify(data, len, key_bytes, 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	if (data[0] % 2 == 0)
		as_who_answers(data + 1, len - 1);
	else
		as_who_asked(data + 1, len - 1);
	return 0;
}
