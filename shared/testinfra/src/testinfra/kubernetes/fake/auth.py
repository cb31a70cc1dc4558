"""Who a request comes from: a client certificate, a token of a service account, a token that the test declared, nobody.

Rule 1: a service account's token (a JWT, ES256) is good for as long as it says, and while its account and the object
        it is bound to exist with the uid they had; every server signs with a key of its own.
Rule 2: everybody known is in `system:authenticated`, everybody else is `system:anonymous` in `system:unauthenticated`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from testinfra.kubernetes.fake.causes import Cause, invalid
from testinfra.kubernetes.fake.status_errors import NOT_FOUND, Refused, refused

ISSUER = "https://kubernetes.default.svc"
_AUTHENTICATED = "system:authenticated"
_CREDENTIAL = "authentication.kubernetes.io/credential-id"
_POD_NAME, _POD_UID = "authentication.kubernetes.io/pod-name", "authentication.kubernetes.io/pod-uid"
_SHORTEST, _LONGEST, _USUAL = 600, 2**32, 3600
_CURVE_BYTES = 32
_BOUND = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
_Object = Mapping[str, Any]
Get = Callable[[str, str, str, str], "_Object | None"]


@dataclass(frozen=True, kw_only=True)
class User:
    """An identity, as RBAC and reviews see it."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))


class Authenticator:
    """Knows who is who. Safe to use from several threads at once."""

    def __init__(self, get: Get) -> None:
        """Look objects up with `get(group, plural, namespace, name)`, which gives None for one that is not there."""
        self._get = get
        self._declared: dict[str, User] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public = self._key.public_key()
        numbers = self._public.public_numbers()
        self._claims = lru_cache(maxsize=1024)(self._read)  # a signature is checked once, its token's life each time
        self._key_id = _text(hashlib.sha256(f"{numbers.x}.{numbers.y}".encode()).digest())

    def __repr__(self) -> str:
        return f"<Authenticator: {len(self._declared)} declared tokens>"

    def declare(self, token: str, user: User) -> None:
        """Let a token stand for a user from now on."""
        self._declared[token] = _authenticated(user)

    def certificate(self, subject: str, organizations: Iterable[str]) -> User:
        """Give who a verified client certificate names: its common name, its organizations as groups."""
        return _authenticated(User(name=subject, groups=tuple(organizations)))

    def bearer(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """Give who a token stands for; None for one that is not (or no longer) good, or for none of `audiences`."""
        return self.review(token, audiences)[0]

    def review(self, token: str, audiences: Sequence[str] = ()) -> tuple[User | None, list[str], str]:
        """Give who a token stands for, the audiences that it is good for, and (with None) what is wrong with it."""
        wanted = list(audiences) or [ISSUER]
        if token in self._declared:
            return self._declared[token], wanted, ""
        claims = self._claims(token)
        if claims is None:
            return None, [], "invalid bearer token"
        common = [one for one in claims["aud"] if one in wanted]
        if not common:
            told, asked = (json.dumps(names, separators=(" ", ":")) for names in (claims["aud"], wanted))
            wrong = f"token audiences {told} is invalid for the target audiences {asked}"
            return None, [], f"[invalid bearer token, {wrong}]"
        now = time.time()
        if not claims["nbf"] - 1 <= now < claims["exp"]:
            return None, [], "[invalid bearer token, service account token has expired]"
        user = self._account(claims)
        if user is None:
            return None, [], "[invalid bearer token, service account token has been invalidated]"
        return user, common, ""

    def _read(self, token: str) -> dict[str, Any] | None:
        """Read a JWT that this server signed; None for anything else."""
        try:
            signed, _, signature = token.rpartition(".")
            raw = _bytes(signature)
            r, s = (int.from_bytes(half) for half in (raw[:_CURVE_BYTES], raw[_CURVE_BYTES:]))
            self._public.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
            claims: dict[str, Any] = json.loads(_bytes(signed.partition(".")[2]))
        except (ValueError, binascii.Error, InvalidSignature):
            return None
        return claims

    def _account(self, claims: Mapping[str, Any]) -> User | None:
        told = claims["kubernetes.io"]
        namespace, account = told["namespace"], told["serviceaccount"]
        if not self._lives("serviceaccounts", namespace, account):
            return None
        for kind, plural in _BOUND.items():
            bound = told.get(kind.lower())
            if bound and not self._lives(plural, "" if kind == "Node" else namespace, bound):
                return None
        pod = told.get("pod")
        extra = {_CREDENTIAL: (f"JTI={claims['jti']}",)}
        if pod:
            extra |= {_POD_NAME: (pod["name"],), _POD_UID: (pod["uid"],)}
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return _authenticated(User(name=claims["sub"], uid=account["uid"], groups=groups, extra=extra))

    def _lives(self, plural: str, namespace: str, told: Mapping[str, str]) -> bool:
        found = self._get("", plural, namespace, told["name"])
        return found is not None and found["metadata"].get("uid") == told["uid"]

    def issue(self, account: _Object, request: _Object) -> dict[str, Any]:
        """Answer a TokenRequest for a ServiceAccount: the request with `status.token`, `status.expirationTimestamp`.

        Raises `Refused`: 422 for a life of less than 10 minutes, 404 for a bound object that is not there.
        """
        spec = dict(request.get("spec") or {})
        seconds = spec.get("expirationSeconds") or _USUAL
        _check_life(seconds)
        meta = account["metadata"]
        bound = self._bound(meta["namespace"], spec.get("boundObjectRef"))
        audiences = spec.get("audiences") or [ISSUER]
        now = int(time.time())
        claims = {
            "aud": audiences,
            "exp": now + seconds,
            "iat": now,
            "iss": ISSUER,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": meta["namespace"],
                **bound,
                "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
            },
            "nbf": now,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        }
        until = dt.datetime.fromtimestamp(now + seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        created = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {**{key: meta[key] for key in ("name", "namespace", "uid")}, "creationTimestamp": created},
            "spec": {"boundObjectRef": None, **spec, "audiences": audiences, "expirationSeconds": seconds},
            "status": {"token": self._signed(claims), "expirationTimestamp": until},
        }

    def _bound(self, namespace: str, reference: Mapping[str, str] | None) -> dict[str, Any]:
        if not reference:
            return {}
        kind = reference.get("kind", "")
        plural = _BOUND.get(kind, "")
        found = (
            self._get("", plural, "" if kind == "Node" else namespace, reference.get("name", "")) if plural else None
        )
        if found is None:
            plural, name = plural or kind.lower(), reference.get("name", "")
            details = {"name": name, "kind": plural}
            raise refused(NOT_FOUND, "NotFound", f'{plural} "{name}" not found', details)
        return {kind.lower(): {"name": found["metadata"]["name"], "uid": found["metadata"]["uid"]}}

    def _signed(self, claims: Mapping[str, Any]) -> str:
        head = {"alg": "ES256", "kid": self._key_id}
        signed = ".".join(_text(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        r, s = utils.decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(r.to_bytes(_CURVE_BYTES) + s.to_bytes(_CURVE_BYTES))}"


def _authenticated(user: User) -> User:
    groups = dict.fromkeys([*user.groups, _AUTHENTICATED])
    return User(name=user.name, groups=tuple(groups), uid=user.uid, extra=user.extra)


def _check_life(seconds: int) -> None:
    told = ""
    if seconds < _SHORTEST:
        told = "may not specify a duration less than 10 minutes"
    elif seconds > _LONGEST:
        told = "may not specify a duration larger than 2^32 seconds"
    if told:
        cause = Cause("FieldValueInvalid", f"Invalid value: {seconds}: {told}", "spec.expirationSeconds")
        raise Refused(invalid("authentication.k8s.io", "TokenRequest", "", [cause]))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
