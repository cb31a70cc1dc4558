"""The official client's asyncio side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest

from shared.testinfra.tests.contract.kubernetes.official import AioDynamicClient as DynamicClient
from shared.testinfra.tests.contract.kubernetes.official import aio_client as client
from shared.testinfra.tests.contract.kubernetes.official import aio_watch as watch
from shared.testinfra.tests.contract.kubernetes.room import GROUP, Room, named, widget
from testinfra.kubernetes.clients import Kubernetes


def run(server: Kubernetes, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Run `work` with a client, to its end."""

    async def whole() -> Any:
        async with server.async_client() as api:
            return await asyncio.wait_for(work(api), 30)

    return asyncio.run(whole())


def test_an_object_is_made_read_patched_and_deleted(server: Kubernetes, room: Room) -> None:
    """With models."""

    async def work(api: Any) -> None:
        core = client.CoreV1Api(api)
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a"), data={"k": "v"})
        made = await core.create_namespaced_config_map(room.name, body)
        assert await core.read_namespaced_config_map("a", room.name) == made
        done = await core.patch_namespaced_config_map("a", room.name, {"data": {"k": "w"}})
        assert done.data == {"k": "w"}
        await core.delete_namespaced_config_map("a", room.name)
        with pytest.raises(client.ApiException) as caught:
            await core.read_namespaced_config_map("a", room.name)
        assert caught.value.status == 404

    run(server, work)


def test_a_hundred_creates_at_once_all_succeed(server: Kubernetes, custom: Room) -> None:
    """The client holds nothing back."""

    async def work(api: Any) -> None:
        objects = client.CustomObjectsApi(api)
        where = (GROUP, "v1", custom.name, "widgets")
        bodies = [custom.body("widgets", widget(f"w{number}")) for number in range(100)]
        await asyncio.gather(*(objects.create_namespaced_custom_object(*where, body) for body in bodies))
        assert len((await objects.list_namespaced_custom_object(*where))["items"]) == 100

    run(server, work)


def test_a_watch_runs_beside_the_writes(server: Kubernetes, room: Room) -> None:
    """Every change is told, in order."""

    async def follow(core: Any, start: str) -> list[tuple[str, str]]:
        told: list[tuple[str, str]] = []
        async with watch.Watch() as stream:
            async for event in stream.stream(core.list_namespaced_secret, room.name, resource_version=start):
                told.append((event["type"], event["object"].metadata.name))
                if event["type"] == "DELETED":
                    return told
        return told

    async def work(api: Any) -> list[tuple[str, str]]:
        core = client.CoreV1Api(api)
        start = (await core.list_namespaced_secret(room.name)).metadata.resource_version
        following = asyncio.create_task(follow(core, start))
        for name in ("a", "b"):
            await core.create_namespaced_secret(room.name, client.V1Secret(metadata=client.V1ObjectMeta(name=name)))
        await core.delete_namespaced_secret("a", room.name)
        return await following

    assert run(server, work) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


def test_a_watch_that_was_left_is_gone_with_its_client(server: Kubernetes, room: Room) -> None:
    """Its socket is closed when the client is; Python would warn of it in a later test."""
    room.create("secrets", named("a"))
    host, _, port = server.endpoint.server.rpartition("/")[2].partition(":")

    def ports() -> set[int]:
        mine = psutil.Process().net_connections("tcp")
        return {each.laddr.port for each in mine if each.raddr == (host, int(port))}

    async def work(api: Any) -> set[int]:
        async with watch.Watch() as stream:
            async for _ in stream.stream(client.CoreV1Api(api).list_namespaced_secret, room.name):
                return ports()
        return set()

    before = ports()
    assert run(server, work) > before
    assert ports() == before


def test_writers_at_once_retry_on_conflict(server: Kubernetes, room: Room) -> None:
    """Ten tasks of five steps each: fifty."""
    room.create("configmaps", named("counter", data={"n": "0"}))

    async def count(core: Any) -> None:
        done = 0
        while done < 5:
            found = await core.read_namespaced_config_map("counter", room.name)
            found.data["n"] = str(int(found.data["n"]) + 1)
            try:
                await core.replace_namespaced_config_map("counter", room.name, found)
            except client.ApiException as exc:
                if exc.status != 409:
                    raise
            else:
                done += 1

    async def work(api: Any) -> None:
        await asyncio.gather(*(count(client.CoreV1Api(api)) for _ in range(10)))

    run(server, work)
    assert room.get("configmaps", "counter")["data"] == {"n": "50"}


def test_the_dynamic_client_works_too(server: Kubernetes, room: Room) -> None:
    """By discovery."""

    async def work(api: Any) -> list[str]:
        dynamic = await DynamicClient(api)
        secrets = await dynamic.resources.get(api_version="v1", kind="Secret")
        await secrets.create(body=room.body("secrets", named("a")), namespace=room.name)
        return [each.metadata.name for each in (await secrets.get(namespace=room.name)).items]

    assert run(server, work) == ["a"]


def test_a_task_that_is_cancelled_ends_its_watch(server: Kubernetes, room: Room) -> None:
    """And the client is closed without waiting for the server."""

    async def work(api: Any) -> bool:
        seen = asyncio.Event()

        async def follow() -> None:
            async with watch.Watch() as stream:
                async for _ in stream.stream(client.CoreV1Api(api).list_namespaced_secret, room.name):
                    seen.set()

        task = asyncio.create_task(follow())
        room.create("secrets", named("a"))
        await seen.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert run(server, work) is True
