"""Write the field numbers by which Kubernetes' types are read from protobuf, as its Go sources tell them.

The Go clients of the built-in kinds (kubectl's `create` and `auth` among them) send nothing else. Run it after
`tools/kubernetes_kinds.py`, with the Go modules of the same release at hand:

    python tools/kubernetes_protobuf.py "$(go env GOMODCACHE)" v0.36.3

Rule 1: facts only: the tags of the structs (`json:"..." protobuf:"..."`), for the definitions of kinds.json.
Rule 2: one definition a line, in a steady order.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_DATA = Path(__file__).parent.parent / "shared/testinfra/src/testinfra/kubernetes/fake/data"
_STRUCT = re.compile(r"^type (\w+) struct \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t(?:\w+\s+)?(?P<type>[*\[\]\w.]+)\s+`(?P<tags>[^`]*)`", re.MULTILINE)
_JSON, _NUMBER = re.compile(r'json:"([^"]*)"'), re.compile(r'protobuf:"\w+,(\d+),')
_MODULES = {
    "io.k8s.api.": "api@{}",
    "io.k8s.apimachinery.": "apimachinery@{}",
    "io.k8s.apiextensions-apiserver.": "apiextensions-apiserver@{}",
}


def folder(modules: Path, release: str, package: str) -> Path:
    """Find the sources of a package: `io.k8s.api.core.v1` is in k8s.io/api, folder core/v1."""
    prefix = next(prefix for prefix in _MODULES if package.startswith(prefix))
    rest = package.removeprefix(prefix).replace(".", "/")
    return modules / "k8s.io" / _MODULES[prefix].format(release) / rest


def structs(source: Path) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Give each struct's name and fields (Go type, json tag, number) in a package's files."""
    for file in sorted(source.glob("types*.go")):
        for name, body in _STRUCT.findall(file.read_text()):
            fields = [(found["type"], found["tags"]) for found in _FIELD.finditer(body)]
            tags = [(kind, _JSON.search(tags), _NUMBER.search(tags)) for kind, tags in fields]
            yield name, [(kind, tag[1], number[1]) for kind, tag, number in tags if tag and number]


def told(package: str, go_type: str, tag: str) -> str:
    """Say a field: its name; `name~` if Go leaves it out when it is zero; `@definition` for one that is inlined."""
    name, *options = tag.split(",")
    if "inline" in options:
        return f"@{package}.{go_type.lstrip('*')}"
    dropped = "omitempty" in options and not go_type.startswith("*")
    return name + ("~" if dropped else "")


def main() -> None:
    """Read the sources and write the file."""
    modules, release = Path(sys.argv[1]), sys.argv[2]
    definitions = json.loads((_DATA / "kinds.json").read_text())["definitions"]
    found: dict[str, dict[str, str]] = {}
    for package in sorted({name.rpartition(".")[0] for name in definitions}):
        for struct, fields in structs(folder(modules, release, package)):
            numbered = {number: told(package, go_type, tag) for go_type, tag, number in fields if tag != "-"}
            found[f"{package}.{struct}"] = dict(sorted(numbered.items(), key=lambda item: int(item[0])))
    wanted = set(definitions) | {name[1:] for fields in found.values() for name in fields.values() if name[0] == "@"}
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(wanted & found.keys()) if found[name]]
    head = {"made_by": 'python tools/kubernetes_protobuf.py "$(go env GOMODCACHE)" ' + release}
    start = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    (_DATA / "protobuf.json").write_text("{\n" + start + ',\n"messages": {\n' + ",\n".join(lines) + "\n}\n}\n")


if __name__ == "__main__":
    main()
