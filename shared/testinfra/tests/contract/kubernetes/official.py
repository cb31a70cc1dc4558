"""The official client without its types: every field of its models may be None, and its helpers have none at all."""

from __future__ import annotations

from typing import Any

import kubernetes.aio.client
import kubernetes.aio.dynamic
import kubernetes.aio.watch
import kubernetes.client
import kubernetes.dynamic
import kubernetes.informer
import kubernetes.leaderelection.electionconfig
import kubernetes.leaderelection.leaderelection
import kubernetes.leaderelection.resourcelock.leaselock
import kubernetes.watch

client: Any = kubernetes.client
watch: Any = kubernetes.watch
DynamicClient: Any = kubernetes.dynamic.DynamicClient
SharedInformer: Any = kubernetes.informer.SharedInformer
LeaderElection: Any = kubernetes.leaderelection.leaderelection.LeaderElection
ElectionConfig: Any = kubernetes.leaderelection.electionconfig.Config
LeaseLock: Any = kubernetes.leaderelection.resourcelock.leaselock.LeaseLock

aio_client: Any = kubernetes.aio.client
aio_watch: Any = kubernetes.aio.watch
AioDynamicClient: Any = kubernetes.aio.dynamic.DynamicClient
