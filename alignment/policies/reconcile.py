"""Making what is loaded match the database: servers keep no truth, so this also heals them after a restart."""

import structlog

from alignment.domain.errors import EndpointDown, EndpointRefused
from alignment.models import ModelVersion
from alignment.policies.client import PolicyClient
from alignment.policies.endpoints import endpoint_of
from alignment.selectors.deployment import Served, served_wanted, version_base, version_path

log = structlog.get_logger(__name__)

_GREETING = [{"role": "user", "content": "Hello"}]


def served_model(version: ModelVersion) -> str:
    """Return the name under which an endpoint knows a version."""
    return version.name


def policy_ready(version: ModelVersion) -> None:
    """Load a version where it is served and check that it answers. Raises: EndpointDown, EndpointRefused."""
    with PolicyClient(endpoint_of(version_base(version))) as client:
        policy_load(client, version)
        client.chat(model=served_model(version), messages=_GREETING, seed=0, max_new_tokens=1, temperature=1.0)


def policy_load(client: PolicyClient, version: ModelVersion) -> None:
    """Load a version's adapter unless it is loaded. Raises: EndpointDown, EndpointRefused."""
    _load(client, version, client.models())


def policies_reconcile() -> None:
    """Load what is missing and unload what nothing needs any more, on every endpoint that is up."""
    for served in served_wanted():
        try:
            _reconcile(served)
        except EndpointDown as error:
            log.info("endpoint_down", base=served.base.name, error=str(error), note="the next look tries again")
        except EndpointRefused as error:
            log.warning("endpoint_refused", base=served.base.name, error=str(error))


def _reconcile(served: Served) -> None:
    with PolicyClient(endpoint_of(served.base)) as client:
        loaded = client.models()
        for adapter in served.adapters:
            _load(client, adapter, loaded)
        wanted = {adapter.name for adapter in served.adapters}
        ours = ModelVersion.objects.filter(parent=served.base, name__in=loaded).exclude(name__in=wanted)
        for name in ours.values_list("name", flat=True):
            client.adapter_unload(name=name)
            log.info("adapter_unloaded", base=served.base.name, adapter=name)


def _load(client: PolicyClient, version: ModelVersion, loaded: list[str]) -> None:
    if version.name in loaded or version_base(version).pk == version.pk:
        return
    client.adapter_load(name=version.name, path=version_path(version))
    log.info("adapter_loaded", adapter=version.name)
