/* SPDX-License-Identifier: GPL-3.0-or-later */
/* boot.h - which boot of the kernel this is. */
#ifndef STOCKADE_SHELL_BOOT_H
#define STOCKADE_SHELL_BOOT_H

#include "../incarnation.h"

/* The kernel's boot id as text, NUL-terminated; incarnation_boot_parse() reads it. 0, or -errno with an empty @text. */
int boot_id_text(char text[static BOOT_ID_TEXT]);

#endif
