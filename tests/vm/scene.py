# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario of the vm tier stands on: a laboratory, steps with their times, checks that print both values."""
import contextlib
import time

import lab as L


class Refuted(Exception):
    """A claim of the scenario does not hold."""


class Skip(Exception):
    """The scenario cannot be judged here; the text says why."""


class Scene:
    """One scenario's run. say() lines go to the user; facts end up in the report of a failure as well."""

    def __init__(self, name, say):
        self.name, self.say, self.labs, self.closers = name, say, [], []
        self.start = time.monotonic()

    def lab(self, suffix="", **kw):
        """A laboratory that ends with the scenario (and with this process, whatever happens to it)."""
        import os
        lab = L.Lab(f"vm-{self.name}{suffix}-{os.getpid()}", log=self.say, **kw)
        self.labs.append(lab)
        lab.up()
        return lab

    @contextlib.contextmanager
    def step(self, what):
        """Say how long a step took."""
        begin = time.monotonic()
        yield
        self.say(f"{time.monotonic() - begin:7.2f} s  {what}")

    def check(self, true, claim):
        if not true:
            raise Refuted(claim)

    def equal(self, got, wanted, claim):
        if got != wanted:
            raise Refuted(f"{claim}: got {got!r}, wanted {wanted!r}")

    def within(self, took, limit, claim):
        """For what has to be there in time, and was there: too late may be the machine's doing (run: missed_deadline())."""
        if took >= limit:
            raise Refuted(f"{claim}: not within {limit:.0f} s, but after {took:.1f} s")

    def until(self, test, timeout, claim, interval=0.1):
        try:
            return L.wait_until(test, timeout, claim, interval)
        except TimeoutError as e:
            raise Refuted(str(e)) from None

    def close(self):
        """End what runs, newest first, then the labs; errors of clients that end late are of no interest any more."""
        for closer in reversed(self.closers):
            with contextlib.suppress(Exception):
                closer()
        for lab in self.labs:
            lab.down()
