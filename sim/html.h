/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sim/html.h - a trace as one self-contained file for a browser: a block of lanes a node, time to the right.
 *
 * What it draws is page/ (model.js, draw.js, ui.js, page.css, page.html), which the build turns into page.inc; it needs no
 * network and opens from a file. The link may say how it opens: FILE#theme=dark&keys=b,k presses these keys.
 */
#ifndef STOCKADE_SIM_HTML_H
#define STOCKADE_SIM_HTML_H

#include "trace.h"

void html_write(const struct trace *t, FILE *to);

/* Return: 0, or -errno of what failed (the file may then be cut short). */
int html_save(const struct trace *t, const char *path);

#endif
