"""The Pod Security Standard's profile `restricted`, as Kubernetes 1.34 words it, for pods that run on Linux."""

from collections.abc import Iterator

from tests.chart.pods import Pod
from tests.chart.rendering import Object

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {"RuntimeDefault", "Localhost", None}
SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HANDLERS = ("httpGet", "tcpSocket")


def faults(pod: Pod) -> list[str]:
    """Return what a namespace that enforces the profile would refuse of a pod."""
    found = [*_of_pod(pod.spec)]
    for container in pod.containers:
        found += [f"{container['name']}: {fault}" for fault in _of_container(container, pod.spec)]
    return [f"{pod.name}: {fault}" for fault in found]


def _of_pod(spec: Object) -> Iterator[str]:
    context = spec.get("securityContext", {})
    yield from (f"{name} is on" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in spec.get("volumes", []):
        yield from (f"a volume of the type {kind}" for kind in set(volume) - {"name"} - VOLUMES)
    yield from (f"sysctl {one['name']}" for one in context.get("sysctls", []))
    yield from _of_both(context)


def _of_both(context: Object) -> Iterator[str]:
    """Yield what is refused of the security context of a pod as of one of a container."""
    if context.get("runAsUser") == 0:
        yield "runs as root"
    if context.get("appArmorProfile", {}).get("type") not in APPARMOR:
        yield "AppArmor is off"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in SELINUX or selinux.get("user") or selinux.get("role"):
        yield "another SELinux type, user or role"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "a process of the host"


def _of_container(container: Object, spec: Object) -> Iterator[str]:
    outer, own = spec.get("securityContext", {}), container.get("securityContext", {})
    both = outer | own
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("seccompProfile", {}).get("type") not in SECCOMP:
        yield "no seccomp profile"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("procMount", "Default") != "Default":
        yield "another mount of /proc"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "does not drop all capabilities"
    yield from (f"adds {name}" for name in capabilities.get("add", []) if name != "NET_BIND_SERVICE")
    yield from (f"host port {port['hostPort']}" for port in container.get("ports", []) if port.get("hostPort"))
    for probe in PROBES:
        for handler in HANDLERS:
            if container.get(probe, {}).get(handler, {}).get("host"):
                yield f"{probe} asks another host"
    yield from _of_both(own)
