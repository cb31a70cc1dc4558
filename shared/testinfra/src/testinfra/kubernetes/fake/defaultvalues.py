"""What a server writes into objects of the built-in kinds where nothing is said: a table by type.

OpenAPI does not tell these (its `default` is mostly Go's zero value, which no server writes); each is what a 1.36 gave
back for a smallest object (tests/unit/facts/defaults.json has those answers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CORE, APPS = "io.k8s.api.core.v1.", "io.k8s.api.apps.v1."
_MODE = {"defaultMode": 0o644}
RBAC = "rbac.authorization.k8s.io"
_HISTORY = {"revisionHistoryLimit": 10}
_ROLLING = {"type": "RollingUpdate"}
_EMPTY_STATUS: Mapping[str, Any] = {"status": {}}
_WEBHOOK = {
    "failurePolicy": "Fail",
    "matchPolicy": "Equivalent",
    "namespaceSelector": {},
    "objectSelector": {},
    "timeoutSeconds": 10,
}

VALUES: Mapping[str, Mapping[str, Any]] = {
    CORE + "PodSpec": {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    },
    CORE + "PodTemplateSpec": {"metadata": {}},
    CORE + "Container": {
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    },
    CORE + "ContainerPort": {"protocol": "TCP"},
    CORE + "Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    CORE + "HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    CORE + "ObjectFieldSelector": {"apiVersion": "v1"},
    CORE + "ConfigMapVolumeSource": _MODE,
    CORE + "SecretVolumeSource": _MODE,
    CORE + "ProjectedVolumeSource": _MODE,
    CORE + "DownwardAPIVolumeSource": _MODE,
    CORE + "HostPathVolumeSource": {"type": ""},
    CORE + "ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    CORE + "ServicePort": {"protocol": "TCP"},
    CORE + "Service": {"spec": {}, "status": {"loadBalancer": {}}},
    CORE + "ServiceSpec": {"type": "ClusterIP", "sessionAffinity": "None"},
    CORE + "EndpointPort": {"protocol": "TCP"},
    CORE + "PersistentVolumeClaim": {"status": {"phase": "Pending"}},
    CORE + "PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    CORE + "PersistentVolume": {"status": {"phase": "Pending"}},
    CORE + "PersistentVolumeSpec": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
    CORE + "Pod": {"status": {}},
    CORE + "PodStatus": {"phase": "Pending"},
    CORE + "Node": {"spec": {}, "status": {}},
    CORE + "Namespace": {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}},
    CORE + "Secret": {"type": "Opaque"},
    CORE + "ResourceQuota": _EMPTY_STATUS,
    CORE + "Event": {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    },
    CORE + "ReplicationController": {"status": {"replicas": 0}},
    CORE + "ReplicationControllerSpec": {"replicas": 1},
    APPS + "Deployment": _EMPTY_STATUS,
    APPS + "DeploymentSpec": {"replicas": 1, "strategy": {}, "progressDeadlineSeconds": 600, **_HISTORY},
    APPS + "DeploymentStrategy": _ROLLING,
    APPS + "RollingUpdateDeployment": {"maxUnavailable": "25%", "maxSurge": "25%"},
    APPS + "ReplicaSet": {"status": {"replicas": 0}},
    APPS + "ReplicaSetSpec": {"replicas": 1},
    APPS + "StatefulSet": {"status": {"replicas": 0, "availableReplicas": 0}},
    APPS + "StatefulSetSpec": {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {},
        "persistentVolumeClaimRetentionPolicy": {},
        **_HISTORY,
    },
    APPS + "StatefulSetUpdateStrategy": _ROLLING,
    APPS + "RollingUpdateStatefulSetStrategy": {"partition": 0},
    APPS + "StatefulSetPersistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    APPS + "DaemonSet": {
        "status": dict.fromkeys(
            ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"), 0
        )
    },
    APPS + "DaemonSetSpec": {"updateStrategy": {}, **_HISTORY},
    APPS + "DaemonSetUpdateStrategy": _ROLLING,
    APPS + "RollingUpdateDaemonSet": {"maxUnavailable": 1, "maxSurge": 0},
    "io.k8s.api.batch.v1.Job": _EMPTY_STATUS,
    "io.k8s.api.batch.v1.CronJob": _EMPTY_STATUS,
    "io.k8s.api.batch.v1.CronJobSpec": {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    },
    "io.k8s.api.batch.v1.JobTemplateSpec": {"metadata": {}},
    "io.k8s.api.networking.v1.Ingress": {"status": {"loadBalancer": {}}},
    "io.k8s.api.networking.v1.NetworkPolicyPort": {"protocol": "TCP"},
    "io.k8s.api.policy.v1.PodDisruptionBudget": {
        "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    },
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler": {"status": {"desiredReplicas": 0, "currentMetrics": None}},
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec": {
        "minReplicas": 1,
        "metrics": [
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
            }
        ],
    },
    "io.k8s.api.rbac.v1.RoleRef": {"apiGroup": RBAC},
    "io.k8s.api.discovery.v1.Endpoint": {"conditions": {}},
    "io.k8s.api.discovery.v1.EndpointPort": {"name": "", "protocol": "TCP"},
    "io.k8s.api.scheduling.v1.PriorityClass": {"preemptionPolicy": "PreemptLowerPriority"},
    "io.k8s.api.storage.v1.StorageClass": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "io.k8s.api.admissionregistration.v1.ValidatingWebhook": _WEBHOOK,
    "io.k8s.api.admissionregistration.v1.MutatingWebhook": {**_WEBHOOK, "reinvocationPolicy": "Never"},
    "io.k8s.api.admissionregistration.v1.ServiceReference": {"port": 443},
    "io.k8s.api.admissionregistration.v1.RuleWithOperations": {"scope": "*"},
}
"""Definition -> fields; a value that is an object is itself filled in further."""
