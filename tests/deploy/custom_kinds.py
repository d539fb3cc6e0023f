"""Schemas of the kinds that are not Kubernetes's own, with the fields in use alone.

They follow the definitions that the projects publish: ``config/crd/full/`` of KServe,
``example/prometheus-operator-crd/`` of the Prometheus Operator, and
``docs/reference/api.md`` of KubeRay 1.6. Another field is
refused, so that a wrong word is found.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": r"^([0-9]+m)?([0-9]+s)?$"}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def _kind(group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _object(
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        apiVersion={"const": group},
        kind={"const": kind},
        metadata=_object("name", name=_TEXT, labels=_TEXTS),
        spec=spec,
    )


# The pods' templates are Kubernetes's own, and are checked in a Pod.
_NODES = {
    "rayStartParams": _TEXTS,
    "template": _object("spec", spec={"type": "object"}),
}
_COUNT = {"type": "integer", "minimum": 0}

_PROTOCOL = {"enum": ["v1", "v2", "grpc-v1", "grpc-v2"]}

SCHEMAS = {
    "RayService": _kind(
        "ray.io/v1",
        "RayService",
        _object(
            "serveConfigV2",
            "rayClusterConfig",
            rayClusterDeletionDelaySeconds=_COUNT,
            serveConfigV2=_TEXT,
            rayClusterConfig=_object(
                "rayVersion",
                "headGroupSpec",
                rayVersion=_TEXT,
                authOptions=_object("mode", mode={"enum": ["disabled", "token"]}),
                headGroupSpec=_object("template", **_NODES),
                workerGroupSpecs=_list(
                    _object(
                        "groupName",
                        "template",
                        groupName=_TEXT,
                        replicas=_COUNT,
                        minReplicas=_COUNT,
                        maxReplicas=_COUNT,
                        **_NODES,
                    )
                ),
            ),
        ),
    ),
    "ServiceMonitor": _kind(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _object(
            "endpoints",
            "selector",
            selector=_object(matchLabels=_TEXTS),
            endpoints=_list(
                _object(
                    port=_TEXT, path=_TEXT, interval=_DURATION, scrapeTimeout=_DURATION
                )
            ),
        ),
    ),
    # The containers are Kubernetes's own, and are checked in a Pod.
    "ServingRuntime": _kind(
        "serving.kserve.io/v1alpha1",
        "ServingRuntime",
        _object(
            "containers",
            annotations=_TEXTS,
            multiModel={"type": "boolean"},
            protocolVersions=_list(_PROTOCOL),
            supportedModelFormats=_list(
                _object(
                    "name", name=_TEXT, version=_TEXT, autoSelect={"type": "boolean"}
                )
            ),
            containers=_list({"type": "object"}),
        ),
    ),
    "InferenceService": _kind(
        "serving.kserve.io/v1beta1",
        "InferenceService",
        _object(
            "predictor",
            predictor=_object(
                enableServiceLinks={"type": "boolean"},
                model=_object(
                    "modelFormat",
                    modelFormat=_object("name", name=_TEXT, version=_TEXT),
                    protocolVersion=_PROTOCOL,
                    runtime=_TEXT,
                    storageUri=_TEXT,
                ),
            ),
        ),
    ),
}
