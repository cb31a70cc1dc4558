"""Refusals that are of no kind in particular: paths, methods, media types, bodies."""

from __future__ import annotations

import json

import pytest
import urllib3

from shared.testinfra.tests.contract.kubernetes.room import Object, Room, named, refused
from testinfra.endpoints import Cluster
from testinfra.kubernetes.rest import Rest


def raw(cluster: Cluster, method: str, path: str, body: bytes = b"", **headers: str) -> urllib3.BaseHTTPResponse:
    """Ask with a body of bytes, as the administrator; headers are written with `_` for `-`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if cluster.token:
        given["Authorization"] = f"Bearer {cluster.token}"
    with urllib3.PoolManager(
        ca_certs=cluster.ca_file, cert_file=cluster.cert_file or None, key_file=cluster.key_file or None
    ) as pool:
        return pool.request(method, cluster.server + path, body=body or None, headers=given, retries=False, timeout=30)


def said(answer: urllib3.BaseHTTPResponse) -> tuple[int, str]:
    """The HTTP status and the reason in the Status."""
    found = json.loads(answer.data)
    assert found["code"] == answer.status
    return answer.status, found["reason"]


def test_a_refusal_is_a_status_object(cluster: Cluster, room: Room) -> None:
    """With all that a client may look at."""
    answer = raw(cluster, "GET", room.path("configmaps", "none"))
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.data) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "none" not found',
        "reason": "NotFound",
        "details": {"name": "none", "kind": "configmaps"},
        "code": 404,
    }


@pytest.mark.parametrize("path", ["/nothing", "/apis/v1/x/y"])
def test_a_path_that_is_nobodys_is_404(rest: Rest, path: str) -> None:
    """In plain words."""
    with refused(404, ""):
        rest.get(path)


@pytest.mark.parametrize(("method", "name"), [("PUT", ""), ("PATCH", ""), ("POST", "a")])
def test_a_method_that_a_path_does_not_take_is_405(room: Room, method: str, name: str) -> None:
    """A collection is not replaced; an object is not posted to."""
    room.create("configmaps", named("a"))
    with refused(405, "MethodNotAllowed"):
        room.answer(method, "configmaps", name, body=room.body("configmaps", named("a")))


def test_an_answer_that_cannot_be_given_in_the_form_asked_for_is_406(cluster: Cluster, room: Room) -> None:
    """A media type that the server does not have."""
    assert said(raw(cluster, "GET", room.path("configmaps"), Accept="image/png")) == (406, "NotAcceptable")


def test_a_body_that_is_no_json_is_400(cluster: Cluster, room: Room) -> None:
    """What could not be read is told."""
    answer = raw(cluster, "POST", room.path("configmaps"), b'{"metadata": {', Content_Type="application/json")
    assert said(answer) == (400, "BadRequest")


def test_a_body_of_an_unknown_type_is_415(cluster: Cluster, room: Room) -> None:
    """For a create as for a patch."""
    answer = raw(cluster, "POST", room.path("configmaps"), b"<a/>", Content_Type="text/xml")
    assert said(answer) == (415, "UnsupportedMediaType")


def test_a_body_of_the_wrong_shape_is_400(room: Room) -> None:
    """A string where a map should be."""
    with refused(400, "BadRequest"):
        room.create("configmaps", {**named("a"), "data": "no map"})
    with refused(400, "BadRequest"):
        room.create("configmaps", {**named("a"), "data": {"k": 1}})


def test_a_body_of_more_than_three_megabytes_is_413(room: Room) -> None:
    """Before it is looked at."""
    with refused(413, "RequestEntityTooLarge"):
        room.create("configmaps", named("a", data={"k": "x" * (3 * 1024 * 1024 + 1)}))


def test_a_body_may_be_yaml(cluster: Cluster, room: Room) -> None:
    """`application/yaml` in, JSON out."""
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  k: |\n    two\n    lines\n"
    answer = raw(
        cluster, "POST", room.path("configmaps"), text, Content_Type="application/yaml", Accept="application/json"
    )
    assert answer.status == 201
    assert json.loads(answer.data)["data"] == {"k": "two\nlines\n"}


def test_an_answer_may_be_yaml(cluster: Cluster, room: Room) -> None:
    """Where it is asked for."""
    room.create("secrets", named("a"))
    answer = raw(cluster, "GET", room.path("secrets", "a"), Accept="application/yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert b"\nkind: Secret\n" in answer.data


def test_the_first_form_that_the_server_has_is_taken(cluster: Cluster, room: Room) -> None:
    """Clients name several."""
    answer = raw(cluster, "GET", room.path("secrets"), Accept="image/png, application/json;q=0.5")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")


def test_an_empty_body_is_refused(cluster: Cluster, room: Room) -> None:
    """There is nothing to make."""
    answer = raw(cluster, "POST", room.path("configmaps"), Content_Type="application/json")
    assert answer.status == 400


def test_words_of_other_languages_come_back_as_they_went(room: Room) -> None:
    """UTF-8 both ways."""
    text = "äöü 中文 🌍"
    room.create("configmaps", named("a", data={"k": text}))
    assert room.get("configmaps", "a")["data"] == {"k": text}


@pytest.mark.parametrize("query", [{"limit": "many"}, {"timeoutSeconds": "soon"}])
def test_a_query_that_cannot_be_read_is_refused(room: Room, query: Object) -> None:
    """As a bad request."""
    with refused(400, "BadRequest"):
        room.listed("configmaps", **query)
