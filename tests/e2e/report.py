"""What somebody who looks into a failure wants to see of a namespace."""

from typing import Any

from kubernetes.client.exceptions import ApiException

LAST_LINES = 15


def is_ready(pod: Any) -> bool:
    """Return whether a pod is ready."""
    conditions = pod.status.conditions or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def report(core: Any, namespace: str) -> str:
    """Return the state of every pod, the last lines of those that are not well, and the warnings."""
    told = [f"--- namespace {namespace}"]
    for pod in core.list_namespaced_pod(namespace).items:
        statuses = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
        told.append(f"{pod.metadata.name} {pod.status.phase}: {'; '.join(map(_state, statuses))}")
        if not is_ready(pod) and pod.status.phase != "Succeeded":
            told += [f"    {line}" for line in _last_lines(core, pod)]
    events = core.list_namespaced_event(namespace, field_selector="type=Warning").items
    told += sorted({f"{event.involved_object.name}: {event.message}" for event in events})[-40:]
    return "\n".join(told)


def _state(status: Any) -> str:
    waiting, ended = status.state.waiting, status.state.terminated
    state = "running"
    if waiting is not None:
        state = f"waiting: {waiting.reason}"
    elif ended is not None:
        state = f"ended with {ended.exit_code}: {ended.reason}"
    return f"{status.name} ready={status.ready} restarts={status.restart_count} {state}"


def _last_lines(core: Any, pod: Any) -> list[str]:
    lines: list[str] = []
    for container in [*(pod.spec.init_containers or []), *pod.spec.containers]:
        try:
            log = core.read_namespaced_pod_log(
                pod.metadata.name, pod.metadata.namespace, container=container.name, tail_lines=LAST_LINES
            )
        except ApiException as error:
            log = f"no log: {error.reason}"
        lines += [f"[{container.name}] {line}" for line in str(log).splitlines()]
    return lines
