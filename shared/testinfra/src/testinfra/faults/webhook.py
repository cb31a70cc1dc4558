"""An admission webhook of the stand that lets a request wait: the server has it in work for as long as a test likes.

Rule 1: it is asked about one object only, that of the stand's own request; nobody else's request waits for it.
Rule 2: it allows what it is asked about, and where it is gone the server goes on without it (`failurePolicy: Ignore`).
"""

from __future__ import annotations

import asyncio
import base64
import threading
from pathlib import Path
from typing import Any

from aiohttp import web

from testinfra.faults.loopback import HttpsServer

LONGEST = 30
"""Seconds that an API server waits for a webhook at most (`timeoutSeconds` of the API reference)."""


class Waiter:
    """The webhook: `held` is set when a request waits; `release` lets it go."""

    def __init__(self, folder: Path) -> None:
        """Start it; certificates go into `folder`."""
        self.held = threading.Event()
        self._go = asyncio.Event()
        self._server = HttpsServer(self._review, folder, name="testinfra-webhook")

    async def _review(self, request: web.Request) -> web.Response:
        review = await request.json()
        self.held.set()
        await self._go.wait()
        return web.json_response(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": review["request"]["uid"], "allowed": True},
            }
        )

    def configuration(self, metadata: dict[str, Any], *, marker: str) -> dict[str, Any]:
        """Give the object that has the server ask this webhook about access reviews whose `name` is `marker`.

        Every identity may ask for a SelfSubjectAccessReview (ClusterRole `system:basic-user`), and nothing is stored.
        """
        attributes = "object.spec.resourceAttributes"
        return {
            "metadata": metadata,
            "webhooks": [
                {
                    "name": "wait.testinfra.invalid",
                    "clientConfig": {
                        "url": f"{self._server.url}/wait",
                        "caBundle": base64.b64encode(self._server.authority.pem).decode(),
                    },
                    "rules": [
                        {
                            "apiGroups": ["authorization.k8s.io"],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE"],
                            "resources": ["selfsubjectaccessreviews"],
                        }
                    ],
                    "matchConditions": [
                        {
                            "name": "ours",
                            "expression": f"has({attributes}) && has({attributes}.name)"
                            f" && {attributes}.name == '{marker}'",
                        }
                    ],
                    "timeoutSeconds": LONGEST,
                    "failurePolicy": "Ignore",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }

    def release(self) -> None:
        """Let the request go that waits, and every later one."""
        self._server.call(self._go.set)

    def close(self) -> None:
        """End it."""
        self._server.close()
