"""What else the fixtures give: identities with just the rights named, definitions, servers of one's own, clients."""

from __future__ import annotations

from shared.testinfra.tests.sandbox import Sandbox

ACCOUNTS = """
import pytest
from testinfra.errors import Misconfigured
from testinfra.kubernetes.rest import ApiError, Rest

READ = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]

def refused(rest, method, path, body=None):
    with pytest.raises(ApiError) as caught:
        rest.request(method, path, body)
    return caught.value.status

def test_an_account_may_do_what_was_named_and_nothing_else(namespace, service_account, kubernetes):
    path = f"/api/v1/namespaces/{namespace.namespace}/configmaps"
    reader = kubernetes.rest(service_account(READ))
    assert reader.get(path)["items"] == []
    assert refused(reader, "POST", path, {"metadata": {"name": "one"}}) == 403
    assert refused(reader, "GET", path.replace("configmaps", "secrets")) == 403
    assert refused(reader, "GET", "/api/v1/configmaps") == 403

def test_an_account_without_rules_is_known_and_may_do_nothing(namespace, service_account, kubernetes):
    nobody = service_account()
    said = kubernetes.rest(nobody).post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    name = said["status"]["userInfo"]["username"]
    assert name == f"system:serviceaccount:{namespace.namespace}:" + name.rpartition(":")[2]
    assert refused(kubernetes.rest(nobody), "GET", f"/api/v1/namespaces/{namespace.namespace}/configmaps") == 403

def test_cluster_rules_hold_everywhere(service_account, kubernetes):
    wide = service_account(cluster_rules=[{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}])
    assert kubernetes.rest(wide).get("/api/v1/namespaces")["items"]

@pytest.mark.parametrize("rule", [{"verbs": ["get"], "resource": ["pods"]}, {"resources": ["pods"]},
                                  {"apiGroups": "", "resources": ["pods"], "verbs": ["get"]}])
def test_what_is_no_rule_is_refused(service_account, rule):
    with pytest.raises(Misconfigured, match="is no RBAC rule"):
        service_account([rule])

def test_no_cluster_role_stays(kubernetes):
    for plural in ("clusterroles", "clusterrolebindings"):
        found = kubernetes.rest().get(f"/apis/rbac.authorization.k8s.io/v1/{plural}")["items"]
        assert [one["metadata"]["name"] for one in found if "-test-" in one["metadata"]["name"]] == []
"""
CRDS = """
import pytest
from testinfra.errors import Misconfigured
from testinfra.kubernetes.rest import ApiError

CRD = '''
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.test}
spec:
  group: example.test
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer, maximum: MAXIMUM}}}
'''

@pytest.fixture
def crd(tmp_path):
    def write(maximum):
        (tmp_path / "gadget.yaml").write_text(CRD.replace("MAXIMUM", str(maximum)))
        return tmp_path
    return write

@pytest.mark.parametrize("number", range(8))
def test_an_installed_kind_is_served(install_crds, namespace, kubernetes, crd, number):
    assert install_crds(crd(10)) == ["gadgets.example.test"]
    path = f"/apis/example.test/v1/namespaces/{namespace.namespace}/gadgets"
    gadget = {"apiVersion": "example.test/v1", "kind": "Gadget", "metadata": {"name": "one"}}
    kubernetes.rest().post(path, gadget | {"spec": {"size": 10}})
    with pytest.raises(ApiError) as caught:
        kubernetes.rest().post(path, gadget | {"metadata": {"name": "two"}, "spec": {"size": 11}})
    assert caught.value.status == 422

def test_what_holds_no_definition_is_refused(install_crds, tmp_path):
    (tmp_path / "other.yaml").write_text("kind: ConfigMap")
    with pytest.raises(Misconfigured, match="there is no CustomResourceDefinition"):
        install_crds(tmp_path)
    with pytest.raises(Misconfigured, match="cannot be read"):
        install_crds(tmp_path / "absent.yaml")

def test_a_refused_definition_is_told_with_its_file(install_crds, crd):
    wrong = crd(10) / "gadget.yaml"
    wrong.write_text(wrong.read_text().replace("type: integer", "type: number of things"))
    with pytest.raises(Misconfigured, match="refuses the definition gadgets.example.test") as caught:
        install_crds(wrong)
    assert caught.value.looked_at == (str(wrong),)
"""
CHANGED = """
def test_a_changed_definition_replaces_the_old(exclusive_kubernetes, namespace, crd):
    exclusive_kubernetes.install_crds(crd(10))
    exclusive_kubernetes.install_crds(crd(20))
    found = exclusive_kubernetes.rest().get(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.test")
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema["properties"]["spec"]["properties"]["size"]["maximum"] == 20
"""
LONE = """
import pytest

@pytest.mark.parametrize("number", range(2))
def test_its_namespace_is_there_and_nowhere_else(exclusive_kubernetes, namespace, service_account, testinfra_stand,
                                                 number):
    assert namespace.server == exclusive_kubernetes.endpoint.server
    account = service_account([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
    assert exclusive_kubernetes.rest(account).get(f"/api/v1/namespaces/{namespace.namespace}/pods")["items"] == []
    assert testinfra_stand.clusters()._shared is None
    assert len(testinfra_stand.clusters()._lone) == 1
"""
CLIENTS = """
import asyncio, os, subprocess, sys
from kubernetes import aio, client

def test_the_official_client_works(kubernetes, namespace):
    api = client.CoreV1Api(kubernetes.client())
    api.create_namespaced_config_map(namespace.namespace, client.V1ConfigMap(metadata={"name": "one"}))
    assert [found.metadata.name for found in api.list_namespaced_config_map(namespace.namespace).items] == ["one"]

def test_its_asyncio_side_works_under_any_identity(kubernetes, namespace, service_account):
    who = service_account([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
    async def ask():
        async with kubernetes.async_client(who) as api:
            return await aio.client.CoreV1Api(api).list_namespaced_config_map(namespace.namespace)
    assert asyncio.run(ask()).items == []

PROGRAM = '''
from kubernetes import client, config
config.load_kube_config()
print(len(client.CoreV1Api().list_namespaced_pod(config.list_kube_config_contexts()[1]["context"]["namespace"]).items))
'''

def test_programs_find_server_and_namespace_by_the_environment(namespace):
    environment = {**os.environ, **namespace.env()}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "0", done.stderr
"""


def passes(sandbox: Sandbox, rung: str, count: int, *arguments: str, **suites: str) -> None:
    """Run these modules on the rung; all their tests pass."""
    sandbox.write(**suites)
    done = sandbox.pytest(f"--kubernetes={rung}", *arguments)
    assert (done.code, done.count("tests"), done.count("skipped")) == (0, count, 0), done.output


def test_accounts_have_just_the_rights_named(sandbox: Sandbox, rung: str) -> None:
    """In the namespace, everywhere, or none; what is no rule is refused; nothing of it stays."""
    passes(sandbox, rung, 7, test_accounts=ACCOUNTS)


def test_definitions_are_installed_by_several_processes_at_once(sandbox: Sandbox, rung: str) -> None:
    """And are served when the call returns; wrong ones are told with their file."""
    passes(sandbox, rung, 10, "-n", "2", test_crds=CRDS)


def test_a_changed_definition_replaces_the_old(sandbox: Sandbox, rung: str) -> None:
    """On a server of the test's own, as others may stand on the shared one's."""
    passes(sandbox, rung, 1, "-k", "changed", test_crds=CRDS + CHANGED)


def test_a_server_of_ones_own_is_kept_for_the_next_test(sandbox: Sandbox, rung: str) -> None:
    """Namespace and accounts are there, and the shared server is not started."""
    passes(sandbox, rung, 2, test_lone=LONE)


def test_clients_of_every_kind_find_the_server(sandbox: Sandbox, rung: str) -> None:
    """The official client, its asyncio side, and whatever reads KUBECONFIG."""
    passes(sandbox, rung, 3, test_clients=CLIENTS)


def test_workers_are_spread_over_several_control_planes(sandbox: Sandbox) -> None:
    """Two workers, two servers; each one's tests stay on one."""
    sandbox.write(
        test_spread="""
        import pytest
        @pytest.mark.parametrize("number", range(8))
        def test_spread(namespace, worker_id, number):
            with open(f"server-{worker_id}", "a") as file:
                file.write(namespace.server + "\\n")
        """
    )
    done = sandbox.pytest("--kubernetes=apiserver", "--kubernetes-servers=2", "-n", "2")
    assert done.code == 0, done.output
    servers = [set(path.read_text().split()) for path in sorted(sandbox.project.glob("server-*"))]
    assert [len(found) for found in servers] == [1, 1]
    assert servers[0] != servers[1]
