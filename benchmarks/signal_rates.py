"""Signals that come at a rate, whether the gateway keeps up or not: a sustained one, and a burst that is too much.

A request's time counts from the moment at which it was due, so that a gateway (or a load) that falls behind is not
flattered. One in ten is about a new problem. At the end every count in the cluster is compared with what was accepted.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.load import running
from benchmarks.result import Result
from benchmarks.signals import ECHO, ECHO_PEER, api_server, request, serving_gateway, webhook
from gateway import resources
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest
from testinfra.servers.ready import wait_until
from testinfra.serving import Service

_SUSTAINED, _SECONDS = 1_000, 10
_BURST, _BURST_SECONDS = 5_000, 2
_CONNECTIONS = 500
_COUNTED_WITHIN = 60.0
_ACCEPTED = (200, 201, 202)
_TOO_MUCH = 503
Answer = tuple[int, float]
"""An answer's code, and the milliseconds since its request was due."""


def _pod(number: int) -> int:
    """Give what the signal of this number is about: each tenth is a new problem, all others are earlier ones."""
    tens, rest = divmod(number, 10)
    return tens if rest == 0 else number * 7919 % max(1, tens)


async def _at_rate(service: Service, bodies: Sequence[bytes], rate: int) -> list[Answer]:
    """Send them all, `rate` a second; a request that finds no free connection waits for one."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(service.host, service.port))
    started = time.perf_counter()

    async def send(number: int) -> Answer:
        reader, writer = await free.get()
        writer.write(bodies[number])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"\ncontent-length:")[2].partition(b"\r")[0]))
        free.put_nowait((reader, writer))
        return int(head[9:12]), (time.perf_counter() - started - number / rate) * 1000

    sent: list[asyncio.Task[Answer]] = []
    while len(sent) < len(bodies):
        due = min(len(bodies), int((time.perf_counter() - started) * rate) + 1)
        sent.extend(asyncio.create_task(send(number)) for number in range(len(sent), due))
        await asyncio.sleep(0.001)
    answers = await asyncio.gather(*sent)
    while not free.empty():
        free.get_nowait()[1].close()
    return answers


def _gateway_answers(rate: int, seconds: int) -> list[Answer]:
    """Ask a fresh gateway; raise RuntimeError where what it accepted is not what is counted in the cluster."""
    with api_server() as home, serving_gateway(home) as service:
        pods = [_pod(number) for number in range(rate * seconds)]
        answers = asyncio.run(_at_rate(service, [request(webhook(pod, home.namespace)) for pod in pods], rate))
        accepted = Counter(pod for pod, (code, _) in zip(pods, answers, strict=True) if code in _ACCEPTED)
        if unknown := {code for code, _ in answers} - {*_ACCEPTED, _TOO_MUCH}:
            raise RuntimeError(f"signals were answered {sorted(unknown)}")
        _await_counts(home, {f"payment-api-{pod}": count for pod, count in accepted.items()})
    return answers


def _await_counts(home: Cluster, wanted: dict[str, int]) -> None:
    with Rest(home) as rest:

        def counted() -> bool:
            items = rest.get(resources.path(home.namespace))["items"]
            found = {
                item["spec"]["targetResource"]["name"]: item["status"]["deduplication"]["occurrenceCount"]
                for item in items
            }
            return len(items) == len(wanted) and found == wanted

        wait_until(counted, what="the counts are those of the accepted signals", timeout=_COUNTED_WITHIN)


def _echo_answers(rate: int, seconds: int) -> list[Answer]:
    with running([sys.executable, str(ECHO)], {}, "ECHO_SOCKET_FD") as service:
        pods = [_pod(number) for number in range(rate * seconds)]
        return asyncio.run(_at_rate(service, [request(webhook(pod, "bench")) for pod in pods], rate))


def _measured(name: str, rate: int, seconds: int, runs: int) -> list[Result]:
    ours = [_gateway_answers(rate, seconds) for _ in range(runs)]
    theirs = [_echo_answers(rate, seconds) for _ in range(runs)]

    def result(suffix: str, unit: str, of: Callable[[list[Answer]], float], *, more_is_better: bool = False) -> Result:
        return Result(
            name=f"gateway_{name}{suffix}", unit=unit, peer=f"{ECHO_PEER}, at the same rate",
            ours=[of(each) for each in ours], theirs=[of(each) for each in theirs], more_is_better=more_is_better,
        )  # fmt: skip

    def accepted_per_second(answers: list[Answer]) -> float:
        return sum(code in _ACCEPTED for code, _ in answers) / seconds

    def of_accepted(which: int) -> Callable[[list[Answer]], float]:
        return lambda answers: statistics.quantiles([at for code, at in answers if code in _ACCEPTED], n=100)[which - 1]

    return [
        result("", "1/s", accepted_per_second, more_is_better=True),
        *(result(f"_p{which}", "ms", of_accepted(which)) for which in (50, 95, 99)),
    ]


def sustained(runs: int) -> list[Result]:
    """Measure a thousand signals a second for ten seconds."""
    return _measured("sustained", _SUSTAINED, _SECONDS, runs)


def burst(runs: int) -> list[Result]:
    """Measure five thousand a second for two seconds: what is accepted, and how soon."""
    return _measured("burst", _BURST, _BURST_SECONDS, runs)
