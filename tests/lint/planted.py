# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted sins: each rule of tests/lint/run must find what is wrong in a small house made for it, and must
be content with the same house without the sin. A rule that finds nothing anywhere is no rule.
"""
import os
import shutil
import subprocess
import sys
import tempfile

GPL = "/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
LGPL = "/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
HASH = "# SPDX-License-Identifier: GPL-3.0-or-later\n"
DOT = '.\\" SPDX-License-Identifier: GPL-3.0-or-later\n'
PAGE = DOT + (".Dd November 21, 2026\n.Dt HOUSE 8\n.Os\n.Sh NAME\n.Nm house\n.Nd a house\n"
              ".Sh DESCRIPTION\nText.\n.Bl -tag -width x\n.It Fl -help\nHelp.\n.El\n")

# A house without sin.
HOUSE = {
    "lib/base.h": LGPL + "#include <stdint.h>\nint base_one(int x);\n",
    "lib/base.c": LGPL + '#include "lib/base.h"\n\nint base_one(int x)\n{\n\treturn x + 1;\n}\n',
    "lib/local.mk": HASH + "x_SOURCES = %reldir%/base.c %reldir%/shell/out.c\n",
    "lib/shell/out.c": GPL + '#include "lib/base.h"\n\n#include <unistd.h>\n',
    "fenced/core/fence.h": GPL + "#include <stdint.h>\nstruct fence *fence_new(void);\n",
    "fenced/core/fence.c": GPL + '#include "fence.h"\n\n#include <stdlib.h>\n\nstruct fence *fence_new(void)\n{\n'
                                 "\treturn calloc(1, 8);\n}\n",
    "fenced/local.mk": HASH + "x_SOURCES = %reldir%/core/fence.c\n",
    "dlm/libdlm/lib.c": LGPL + '#include "lib/base.h"\n',
    "dlm/local.mk": HASH + "x_SOURCES = %reldir%/libdlm/lib.c\n",
    "tests/unit/base.c": GPL + '#include "lib/base.h"\n\n/* SAFE-1 */\nint main(void)\n{\n'
                               "\treturn base_one(1) + (fence_new() == 0);\n}\n",
    "tests/local.mk": HASH + "x_SOURCES = %reldir%/unit/base.c\n",
    "doc/SAFETY.md": "SAFE-1 is kept in `lib/base.c`.\n",
    "tests/scenario/README.md": "| trap | source | scenario |\n|---|---|---|\n| off is believed | doc 1 | fence/off |\n",
    "tests/interop/README.md": "| fault | section | test |\n|---|---|---|\n| off is believed | 1 | `off` |\n",
    "tests/fuzz/libfuzzer": "#!/bin/sh\n" + HASH + "echo base: lib/base.c\n",
    "tests/fuzz/base.c": GPL,
    "tests/fuzz/corpus/base/one": "1",
    "tests/fuzz/readers": HASH + "lib/base.c base\n",
    "tests/README.md": "| a base | `base` |\n",
    "fence_agents/doctor/core/diagnose.h": GPL + '#define CAUSES(X) X(GONE, "gone", FAIL, "network")\n',
    "tests/DOCTOR.md": "| cause | made by | cases |\n|---|---|---|\n| `gone` | nothing | net gone |\n",
    "tests/net/scenario/gone.py": HASH + 'row("gone")\n',
    "man/stockade-fence-doctor.8": PAGE.replace("Text.\n", "Text.\n.Bl -column a b\n.It gone Ta it is gone\n.El\n"),
    "tests/scenario/fence/off.scn": HASH,
    "tests/scenario/fence/off.trace": HASH,
    "man/local.mk": HASH + "dist_man_MANS = %reldir%/house.8 %reldir%/stockade-fence-doctor.8\n",
    "man/house.8": PAGE,
    "tools/house": "#!/bin/sh\n" + HASH + "echo ' --help'\n",
}

# rule, what is planted (None: taken away), what the finding must say
SINS = [
    ("traps", {"tests/scenario/README.md": "| a trap | doc 1 | fence/nowhere |\n"}, "does not exist"),
    ("traps", {"tests/scenario/README.md": "no table\n"}, "lists no trap"),
    ("claims", {"tests/interop/README.md": "| a fault | 1 | `nowhere_to_be_found` |\n"}, "nowhere_to_be_found does not exist"),
    ("claims", {"tests/interop/README.md": "no table\n"}, "names no test"),
    ("causes", {"fence_agents/doctor/core/diagnose.h": GPL + '\tX(GONE, "gone", FAIL, "a")\n\tX(NEW, "new", FAIL, "b")\n'}, "no case makes new"),
    ("causes", {"fence_agents/doctor/core/diagnose.h": GPL}, "lists no cause"),
    ("causes", {"tests/net/scenario/gone.py": None}, "does not exist"),
    ("causes", {"tests/net/scenario/gone.py": HASH}, "does not name gone"),
    ("causes", {"man/stockade-fence-doctor.8": PAGE}, "gone is not in it"),
    ("traps", {"tests/scenario/fence/more.scn": HASH}, "no golden trace"),
    ("includes", {"lib/base.c": LGPL + '#include "lib/shell/out.h"\n', "lib/shell/out.h": GPL}, "includes nothing of ours"),
    ("includes", {"lib/base.c": LGPL + "#include <unistd.h>\n"}, "<unistd.h> in pure code"),
    ("includes", {"fenced/core/fence.c": GPL + "#include <time.h>\n"}, "<time.h> in pure code"),
    ("includes", {"fenced/core/fence.c": GPL + '#include "lib/shell/out.h"\n', "lib/shell/out.h": GPL}, "a core includes"),
    ("includes", {"lib/shell/out.c": GPL + '#include "fenced/core/fence.h"\n'}, "lib/shell includes lib/ only"),
    ("includes", {"dlm/daemon/main.c": GPL + '#include "fenced/core/fence.h"\n'}, "dlm includes"),
    ("includes", {"tools/main.c": GPL + '#include "fenced/core/fence.h"\n'}, "tools include"),
    ("includes", {"tools/main.c": GPL + '#include "nowhere.h"\n'}, "not in the tree"),
    ("symbols", {"lib/base.c": LGPL + "int getpid(void);\nint base_one(int x)\n{\n\treturn x + getpid();\n}\n"}, "calls getpid()"),
    ("symbols", {"lib/base.c": LGPL + "void *malloc(unsigned long);\nvoid *f(void)\n{\n\treturn malloc(1);\n}\n"},
     "calls malloc()"),
    ("symbols", {"fenced/core/fence.c": GPL + "void *calloc(unsigned long, unsigned long);\nvoid *fence_grow(void)\n{\n"
                                              "\treturn calloc(1, 8);\n}\n"}, "fence_grow() allocates"),
    ("spdx", {"lib/base.h": "int base_one(int x);\n"}, "no SPDX"),
    ("spdx", {"lib/base.h": GPL + "int base_one(int x);\n"}, "the LGPL client library needs lib/base.h"),
    ("spdx", {"dlm/libdlm/lib.c": GPL}, "is LGPL-2.1-or-later"),
    ("format", {"lib/base.c": LGPL + "int  base_one(int x){return x;}\n"}, "lib/base.c: line"),
    ("length", {"lib/base.c": LGPL + "\n" * 900}, "901 lines"),
    ("words", {"lib/base.c": LGPL + "/* " + "TO" + "DO */\n"}, "TO" + "DO"),
    ("clock", {"lib/shell/out.c": GPL + "long f(void)\n{\n\treturn time(NULL);\n}\n"}, "reads the wall clock"),
    ("clock", {"lib/base.c": LGPL + "int f(int wall_s, int b)\n{\n\treturn wall_s < b;\n}\n"}, "compares wall clock"),
    ("clock", {"lib/base.c": LGPL + "int f(struct p *p, int b)\n{\n\treturn b - p->wall_s;\n}\n"}, "compares wall clock"),
    ("programs", {"tools/main.c": GPL + "void f(void)\n{\n\tsystem(\"lvs\");\n}\n"}, "system("),
    ("readers", {"lib/shell/out.c": GPL + '#include <unistd.h>\nint in(char *b)\n{\n\treturn read(0, b, 1);\n}\n'},
     "lib/shell/out.c: reads bytes, and is not in"),
    ("readers", {"tests/fuzz/readers": HASH + "lib/base.c gone\n"}, "gone is no target"),
    ("readers", {"tests/fuzz/readers": HASH + "lib/shell/out.c base\n"}, "does not say what of it is"),
    ("readers", {"tests/fuzz/readers": HASH + "lib/base.c base\nlib/shell/out.c -\n"}, "neither a target nor a reason"),
    ("readers", {"tests/README.md": "no table\n"}, "base is not in the table"),
    ("readers", {"tests/fuzz/corpus/base/one": None}, "there is no corpus"),
    ("built", {"tests/local.mk": HASH}, "tests/unit/base.c: in no local.mk"),
    ("safety", {"doc/SAFETY.md": "SAFE-1 SAFE-2\n"}, "SAFE-2: no file"),
    ("safety", {"doc/SAFETY.md": "SAFE-1 `sim/gone.c`\n"}, "there is no sim/gone.c"),
    ("man", {"man/house.8": None}, "no man/house.8"),
    ("man", {"man/house.8": PAGE + ".Bogus\n"}, "Bogus"),
    ("man", {"man/local.mk": HASH}, "not in man/local.mk"),
    ("options", {"tools/house": "#!/bin/sh\n" + HASH + "echo ' --help --new'\n"}, "--new is in --help"),
    ("options", {"tools/house": "#!/bin/sh\n" + HASH + "exit 1\n"}, "exit code 1"),
    ("scripts", {"tools/house": "#!/bin/sh\n" + HASH + "cd $x\nif\n"}, "tools/house"),
    ("scripts", {"tests/x.py": HASH + "def f(:\n"}, "tests/x.py"),
    ("tested", {"lib/base.h": LGPL + "int base_one(int x);\nint base_two(int x);\n"}, "base_two() is used by no test"),
]


def build_house(top, files, with_objects):
    for path, content in files.items():
        if content is None:
            continue
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(content)
        if content.startswith("#!"):
            os.chmod(full, 0o755)
    with open(os.path.join(top, "MANIFEST"), "w", encoding="utf-8") as f:
        f.write("\n".join(p for p, c in files.items() if c is not None))
    build = os.path.join(top, "build")
    os.makedirs(os.path.join(build, "tools"), exist_ok=True)
    with open(os.path.join(build, "Makefile"), "w", encoding="utf-8") as f:
        f.write("print-programs:\n\t@echo tools/house\n")
    shutil.copy(os.path.join(top, "tools/house"), os.path.join(build, "tools/house"))
    for path, content in files.items():
        if with_objects and content is not None and path.endswith(".c") and path.startswith(("lib/base", "fenced/core")):
            folder = os.path.join(build, os.path.dirname(path), ".libs")
            os.makedirs(folder, exist_ok=True)
            subprocess.run(["gcc", "-w", "-O1", "-I" + top, "-c", os.path.join(top, path), "-o",
                            os.path.join(folder, os.path.basename(path)[:-2] + ".o")], check=True)


def judge(lint, source, rule, files):
    top = tempfile.mkdtemp(prefix="stockade-lint.")
    try:
        build_house(top, files, rule == "symbols")
        for path in (".clang-format", "tests/lint/format"):
            os.makedirs(os.path.dirname(os.path.join(top, path)) or top, exist_ok=True)
            shutil.copy(os.path.join(source, path), os.path.join(top, path))
        env = dict(os.environ, STOCKADE_SRC=top, STOCKADE_BUILD=os.path.join(top, "build"))
        got = subprocess.run([sys.executable, lint, rule], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
        return got.returncode, got.stdout
    finally:
        shutil.rmtree(top)


def findings(lint, source):
    """What is wrong with the rules in @lint."""
    for rule in sorted({sin[0] for sin in SINS}):
        code, said = judge(lint, source, rule, HOUSE)
        if code != 0 or f"ok {rule}" not in said:
            yield f"{rule}: complains about the house without sin: {said.strip()}"
    for rule, planted, expected in SINS:
        code, said = judge(lint, source, rule, {**HOUSE, **planted})
        if code == 0 or f"not ok {rule}" not in said or expected not in said:
            yield f"{rule}: does not find \"{expected}\" in {', '.join(planted)}; it says: {said.strip()}"
