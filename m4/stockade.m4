# SPDX-License-Identifier: GPL-3.0-or-later
# Macros of Stockade's configure.

# STOCKADE_MISSING(WHAT, DEBIAN-PACKAGE)
# Note a missing dependency; STOCKADE_REPORT_MISSING names all of them at once.
AC_DEFUN([STOCKADE_MISSING], [
	stockade_missing="$stockade_missing
    $1 (Debian package $2)"
	stockade_packages="$stockade_packages $2"
])

# STOCKADE_PKG(VARIABLE, MODULE, DEBIAN-PACKAGE)
# Find a library by pkg-config: VARIABLE_CFLAGS and VARIABLE_LIBS.
AC_DEFUN([STOCKADE_PKG], [
	PKG_CHECK_MODULES([$1], [$2], [
		STOCKADE_CFLAGS="$STOCKADE_CFLAGS $$1_CFLAGS"
	], [STOCKADE_MISSING([$2], [$3])])
])

AC_DEFUN([STOCKADE_REPORT_MISSING], [
	AS_IF([test -n "$stockade_missing"], [AC_MSG_ERROR([missing libraries:$stockade_missing

  On Debian, as root:  tools/deps build
  or:  apt-get install$stockade_packages
])])
])

# STOCKADE_LIB(VARIABLE, HEADERS, FUNCTION, LIBS..., DEBIAN-PACKAGES, WHAT)
# A library without a pkg-config file: one of HEADERS must be there, and the first word of LIBS that
# links FUNCTION becomes VARIABLE_LIBS.
AC_DEFUN([STOCKADE_LIB], [
	AC_SUBST([$1_LIBS])
	stockade_header=no
	AC_CHECK_HEADERS([$2], [stockade_header=yes; break])
	AC_CACHE_CHECK([how to link $6], [stockade_cv_lib_$1], [
		stockade_cv_lib_$1=no
		stockade_saved_LIBS=$LIBS
		for stockade_try in $4; do
			LIBS="$stockade_try $stockade_saved_LIBS"
			AC_LINK_IFELSE([AC_LANG_CALL([], [$3])],
				[stockade_cv_lib_$1=$stockade_try; break])
		done
		LIBS=$stockade_saved_LIBS
	])
	AS_IF([test $stockade_header = no || test "$stockade_cv_lib_$1" = no],
		[STOCKADE_MISSING([$6], [$5])],
		[$1_LIBS=$stockade_cv_lib_$1])
])

# STOCKADE_FLAGS(VARIABLE, FLAGS...)
# Append to VARIABLE each flag that this compiler takes, to compile and to link.
AC_DEFUN([STOCKADE_FLAGS], [
	for stockade_flag in $2; do
		AS_VAR_PUSHDEF([cv], [stockade_cv_flag_$stockade_flag])
		AC_CACHE_CHECK([whether $CC takes $stockade_flag], [cv], [
			stockade_saved_CFLAGS=$CFLAGS
			CFLAGS="$CFLAGS -Werror $stockade_flag"
			AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([cv], [yes])], [AS_VAR_SET([cv], [no])])
			CFLAGS=$stockade_saved_CFLAGS
		])
		AS_VAR_IF([cv], [yes], [$1="$$1 $stockade_flag"])
		AS_VAR_POPDEF([cv])
	done
])

# STOCKADE_XVM_LINK(NAME, CFLAGS, LDFLAGS, LIBS)
# When fence_xvm can be compiled and linked so: XVM_CFLAGS, XVM_LDFLAGS, XVM_LIBS, and NAME as xvm_libc.
AC_DEFUN([STOCKADE_XVM_LINK], [
	stockade_cflags="$2" stockade_ldflags="$3" stockade_libs="$4"
	stockade_saved_CFLAGS=$CFLAGS stockade_saved_LDFLAGS=$LDFLAGS stockade_saved_LIBS=$LIBS
	CFLAGS="$CFLAGS $stockade_cflags" LDFLAGS="$LDFLAGS $stockade_ldflags" LIBS=$stockade_libs
	AC_MSG_CHECKING([whether fence_xvm can be linked with $1])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>
		#include <sys/socket.h>
		#include <linux/vm_sockets.h>
		#include <nettle/sha2.h>
		#ifndef __GLIBC__
		int __fprintf_chk(FILE *f, int flag, const char *format, ...) { return -1; } /* fence_agents/xvm/musl.c */
		#endif]], [[struct sha256_ctx c; sha256_init(&c)]])], [
		AC_MSG_RESULT([yes])
		xvm_libc="$1" XVM_CFLAGS=$stockade_cflags XVM_LDFLAGS=$stockade_ldflags XVM_LIBS=$stockade_libs
	], [AC_MSG_RESULT([no])])
	CFLAGS=$stockade_saved_CFLAGS LDFLAGS=$stockade_saved_LDFLAGS LIBS=$stockade_saved_LIBS
])
