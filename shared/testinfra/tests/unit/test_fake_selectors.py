"""The fake's selectors: what they choose, and what they say of what they cannot read."""

from __future__ import annotations

import pytest

from testinfra.kubernetes.fake import selectors
from testinfra.kubernetes.fake.kinds import Kind, Kinds
from testinfra.kubernetes.fake.status_errors import Refused


def kind(plural: str) -> Kind:
    """A built-in kind."""
    found = Kinds().find("", "v1", plural)
    assert found
    return found


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("a", "xy"),
        ("!a", "z"),
        ("a=1", "x"),
        ("a==1", "x"),
        ("a != 1", "yz"),
        ("a in (1, 2)", "xy"),
        ("a in (1,)", "x"),
        ("a notin (1)", "yz"),
        ("a>1", "y"),
        ("a<2", "x"),
        ("a=", ""),
        ("b=", "y"),
        ("a in ()", ""),
        ("b in (,q)", "y"),
        ("example.com/c=d,a=1", "x"),
        ("a,!b", "x"),
    ],
)
def test_a_label_selector_chooses(selector: str, chosen: str) -> None:
    """The grammar of labels, with and without blanks."""
    labels = {"x": {"a": "1", "example.com/c": "d"}, "y": {"a": "2", "b": ""}, "z": {}}
    test = selectors.by_labels(selector)
    assert test
    assert "".join(name for name, has in labels.items() if test({"metadata": {"labels": has}})) == chosen


@pytest.mark.parametrize("selector", ["", "  "])
def test_an_empty_selector_asks_nothing(selector: str) -> None:
    """It is None."""
    assert selectors.by_labels(selector) is None
    assert selectors.by_fields(selector.strip(), kind("configmaps")) is None


@pytest.mark.parametrize(
    ("selector", "said"),
    [  # each as a kube-apiserver 1.36 says it
        ("a===", "unable to parse requirement: found '=', expected: identifier"),
        ("color=(", "unable to parse requirement: found '(', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in (a,b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a>x", "the value must be an integer"),
        ("a=-b", 'Invalid value: "-b"'),
        ("a/b/c=1", 'Invalid value: "a/b/c"'),
        ("a,", "expected: identifier after ','"),
        ("=red", "expected: !, identifier, or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
    ],
)
def test_a_label_selector_that_cannot_be_read_says_where(selector: str, said: str) -> None:
    """What was found, and what was expected there."""
    with pytest.raises(Refused) as caught:
        selectors.by_labels(selector)
    assert caught.value.code == 400
    assert said in caught.value.status["message"]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("status.phase=Running", True),
        ("status.phase!=Running", False),
        ("metadata.name=p,status.phase==Running", True),
        ("spec.nodeName=", True),
        ("spec.hostNetwork=true", True),
    ],
)
def test_a_field_selector_chooses(selector: str, chosen: bool) -> None:
    """By the fields of the kind; one that is not set is empty, and true is true."""
    pod = {"metadata": {"name": "p"}, "spec": {"hostNetwork": True}, "status": {"phase": "Running"}}
    test = selectors.by_fields(selector, kind("pods"))
    assert test
    assert test(pod) is chosen


@pytest.mark.parametrize(
    ("plural", "selector", "said"),
    [
        ("pods", "data.x=1", "field label not supported: data.x"),
        ("configmaps", "data.x=1", 'only "metadata.name", "metadata.namespace"'),
        ("configmaps", "metadata.name", "can't understand 'metadata.name'"),
    ],
)
def test_a_field_selector_on_what_cannot_be_selected_is_refused(plural: str, selector: str, said: str) -> None:
    """The field is named."""
    with pytest.raises(Refused, match=said):
        selectors.by_fields(selector, kind(plural))
