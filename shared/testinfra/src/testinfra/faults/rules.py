"""What a test ordered its proxy to do: rules that are used up in order, and prove that they were.

Rule 1: the first rule that fits a request and is not used up takes it; so rules ordered one after another are a script.
Rule 2: a rule that did not do what it was ordered to fails the test (`NotSeen`), with the requests that came by.
Rule 3: a rule counts when its fault has happened, not when it was chosen.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal, Self

from testinfra.errors import NotReady, StandError
from testinfra.faults.requests import Attempt, Attempts, Match
from testinfra.servers.ready import wait_until

Kind = Literal["answer", "delay", "lose_answer", "reset"]


class NotSeen(StandError):  # noqa: N818 - see `testinfra.errors.NotAvailable`
    """What a test ordered or waited for did not happen: no request, or too few, came by."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done to which requests, and how often (`times` None: to every one while the rule lasts)."""

    kind: Kind
    match: Match
    times: int | None
    status: int = 0
    retry_after: int | None = None
    message: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        detail = {"answer": f" {self.status}", "delay": f" {self.seconds:g} s"}.get(self.kind, "")
        return f"{self.kind}{detail}"


@dataclass(eq=False)
class Rule:
    """One order in force. As a block it ends with the block, and must have been used up by then."""

    order: Order
    book: Book = field(repr=False)
    fired: int = 0
    """How many requests it was done to."""
    _taken: int = field(default=0, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.book.end(self)
        failure = self.failure()
        if failure and exc:
            exc.add_note(str(failure))
        elif failure:
            raise failure

    @property
    def done(self) -> bool:
        """Whether it has been done as often as was ordered, and at least once."""
        return self.fired >= (self.order.times or 1)

    def wait(self, within: float = 5.0) -> None:
        """Wait until it is `done`. Raises `NotSeen` after `within` seconds."""
        try:
            wait_until(lambda: self.done, what=f"the fault {self.order}", timeout=within)
        except NotReady as exc:
            raise self.failure() or exc from exc

    def failure(self) -> NotSeen | None:
        """Say what is missing, None for nothing."""
        return None if self.done else self.book.missing(self)

    def take(self) -> bool:
        """Take one of the times, if one is left; under the book's lock."""
        if self.order.times is not None and self._taken >= self.order.times:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Take it back: the fault did not happen to that request."""
        self._taken -= 1


class Book:
    """The rules in force at one proxy, and all requests that came by. Safe to use from several threads."""

    def __init__(self, where: str) -> None:
        """Keep a book for the proxy at `where`."""
        self._where = where
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._log: list[Attempt] = []
        self._failed: Exception | None = None

    def add(self, order: Order) -> Rule:
        """Put an order in force."""
        rule = Rule(order, self)
        with self._lock:
            self._rules.append(rule)
        return rule

    def end(self, rule: Rule) -> None:
        """End a rule: no request meets it any more."""
        with self._lock:
            if rule in self._rules:
                self._rules.remove(rule)

    def receive(self, attempt: Attempt) -> tuple[int, Rule | None]:
        """Note a request that came; gives its number in the log, and the rule it meets."""
        with self._lock:
            met = next((rule for rule in self._rules if self._fits(rule, attempt) and rule.take()), None)
            self._log.append(replace(attempt, body=b"", fault=str(met.order) if met else ""))
            return len(self._log) - 1, met

    def _fits(self, rule: Rule, attempt: Attempt) -> bool:
        try:
            return rule.order.match.fits(attempt)
        except Exception as exc:  # noqa: BLE001 - the test's own function failed: the test is told, not the client
            self._failed = exc
            return False

    def answered(self, number: int, code: int) -> None:
        """Note the status that a request was answered with, by whomever."""
        with self._lock:
            self._log[number] = replace(self._log[number], code=code)

    def fire(self, rule: Rule) -> None:
        """Note that the fault has happened."""
        with self._lock:
            rule.fired += 1

    def spare(self, number: int, rule: Rule) -> None:
        """Note that it has not, though the rule was chosen: the next request may meet it."""
        with self._lock:
            rule.give_back()
            self._log[number] = replace(self._log[number], fault="")

    def log(self) -> Attempts:
        """Give all requests so far."""
        with self._lock:
            return Attempts(self._log)

    def missing(self, rule: Rule) -> NotSeen:
        """Say what `rule` still lacks."""
        seen = self.log()
        wanted = "at least 1" if rule.order.times is None else str(rule.order.times)
        stranger = "the service under test does not use the endpoint of `intercept`, or has not asked yet"
        return NotSeen(
            f"the fault {str(rule.order)!r} happened to {rule.fired} of {wanted} requests ({rule.order.match})",
            cause="the requests that came by are others than those meant" if seen else stranger,
            looked_at=seen.lines() or [f"no request at all came to {self._where}"],
            next_step="rule.wait(within=...) before the block ends, or another match: verb, resource, name, ...",
        )

    def check(self) -> None:
        """End all rules: raise what one lacks that no block has checked, or what a `when` raised."""
        if self._failed:
            self._failed.add_note("raised by a `when` of the test; the request was passed on")
            raise self._failed
        for rule in list(self._rules):
            self.end(rule)
            if failure := rule.failure():
                raise failure
