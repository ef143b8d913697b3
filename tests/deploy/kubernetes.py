"""Judges what `kubectl kustomize` made, where its schemas cannot: kubernetes.py RENDERED SCALED_OBJECT_FILE"""

import json
import sys

import yaml

rendered, scaled_object_file = sys.argv[1:]
with open(rendered) as file:
    resources = list(yaml.safe_load_all(file))

# KEDA's own kind, for a schema of ours.
scaled = [resource for resource in resources if resource["kind"] == "ScaledObject"]
assert len(scaled) == 1, "one kind of process is scaled: the workers"
with open(scaled_object_file, "w") as file:
    json.dump(scaled[0], file)

claims = {resource["metadata"]["name"] for resource in resources if resource["kind"] == "StatefulSet"}
target = scaled[0]["spec"]["scaleTargetRef"]["name"]
assert target not in claims, f"{target} writes a database, and is scaled"
for resource in resources:
    kind, name = resource["kind"], resource["metadata"]["name"]
    if kind == "StatefulSet":
        assert resource["spec"]["replicas"] == 1, f"{name} writes a database: one replica, for ever"
    if kind in ("Deployment", "StatefulSet", "Job"):
        spec = resource["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in spec["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in resource["spec"].get("volumeClaimTemplates", [])}
        if kind == "Deployment":
            assert not any("persistentVolumeClaim" in volume for volume in spec["volumes"]), f"{name} keeps a state"
        for container in spec["containers"]:
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == volumes, f"{name} mounts {mounted}, and has {volumes}"
            key = next(pair["value"] for pair in container["env"] if pair["name"] == "FLYWHEEL_NATS_NKEY")
            items = next(volume for volume in spec["volumes"] if volume["name"] == "credentials")["secret"]["items"]
            assert key.rsplit("/", 1)[1] in {item["path"] for item in items}, f"{name} has no {key}"
