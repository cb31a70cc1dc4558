"""Faults on request: a test asks, the keeper, whose child the server is, does it and answers.

Rule: a question and its answer are files of the place with one number; a signal only says that there is a question, so
one that is lost costs a tick and nothing else.
"""

from __future__ import annotations

import os
import signal

from testinfra.errors import NotReady, StandError, from_record
from testinfra.servers.backend import Backend, Terms
from testinfra.servers.places import Place
from testinfra.servers.ready import wait_until

HEAL = "heal"
_QUESTION = "question.json"
_ANSWER = "answer.json"


def ask(place: Place, what: str, *, timeout: float = 60.0) -> None:
    """Have the keeper of `place` do `what` (one of `owned.FAULTS`, or `HEAL`); raises what it raised."""
    number = int(place.read(_QUESTION).get("number", 0)) + 1
    place.write({"number": number, "what": what}, _QUESTION)
    os.kill(int(place.read()["keeper"]), signal.SIGUSR1)
    wait_until(
        lambda: place.read(_ANSWER).get("number") == number or not place.keeper_lives(),
        what=f"the keeper of {place.directory.name} does {what}",
        timeout=timeout,
    )
    answer = place.read(_ANSWER)
    if answer.get("number") != number:
        raise NotReady(f"the keeper of {place.directory.name} died", looked_at=[str(place.keeper_log)])
    if "error" in answer:
        raise from_record(answer["error"])


def obey(place: Place, backend: Backend, terms: Terms) -> None:
    """In the keeper: do what was asked since the last call."""
    question = place.read(_QUESTION)
    number = question.get("number")
    if number is None or place.read(_ANSWER).get("number") == number:
        return
    answer: dict[str, object] = {"number": number}
    try:
        if question["what"] == HEAL:
            backend.heal(place, terms)
        else:
            backend.fault(str(question["what"]))
    except StandError as exc:
        answer["error"] = exc.to_record()
    place.write(answer, _ANSWER)
