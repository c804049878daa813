"""Live answers: the labeling app's `AnswerSource` over a project's policies and the operator's foreign endpoints."""

from collections.abc import Generator, Sequence

from django.db.models import Q

from alignment.domain.errors import EndpointDown, EndpointRefused
from alignment.domain.recipe import BuildRecipe
from alignment.domain.states import VersionKind
from alignment.models import Deployment, ModelVersion
from alignment.policies.client import Endpoint, PolicyClient
from alignment.policies.endpoints import endpoint_of
from alignment.policies.foreign import foreign_endpoints
from alignment.policies.reconcile import policy_load, served_model
from alignment.selectors.deployment import deployment_live, version_base
from alignment.selectors.round import round_build
from feedback.domain.messages import Message
from feedback.models import Project
from feedback.ports import Decoding, Offer, Piece, SourceDown, SourceRefused

_FOREIGN = "endpoint:"
"""Before the name of a foreign endpoint, so that its key is never that of a version."""
_SILENCE_S = 60.0
"""Longest wait for the next piece: behind a full batch on a CPU the first one takes some seconds."""
_MAX_NEW_TOKENS = 1_024
"""Where no build of the project says otherwise: about a page."""


class PolicyAnswers:
    """Answers of whatever can be asked in a project."""

    def offers(self, *, project: Project) -> list[Offer]:
        """Return the live policy, the one before it or else its SFT base, the others, and the foreign endpoints."""
        offers = [Offer(version.source.key, version.source.name) for version in _versions(project) if version.source]
        return offers + [Offer(_FOREIGN + name, name) for name in sorted(foreign_endpoints())]

    def max_new_tokens(self, *, project: Project) -> int:
        """Return the limit that the project's base was built with."""
        build = round_build(project=project)
        return BuildRecipe.from_json(build.recipe).max_new_tokens if build else _MAX_NEW_TOKENS

    def stream(
        self, *, project: Project, key: str, messages: Sequence[Message], decoding: Decoding
    ) -> Generator[Piece, None, None]:
        """Ask a source. Raises: SourceDown, SourceRefused."""
        if key.startswith(_FOREIGN):
            foreign = foreign_endpoints().get(key.removeprefix(_FOREIGN))
            if foreign is None:
                raise SourceRefused(f"There is no endpoint {key}.")
            return _pieces(foreign.endpoint, None, foreign.model, messages, decoding)
        version = ModelVersion.objects.select_related("parent").filter(project=project, source__key=key).first()
        if version is None:
            raise SourceRefused(f"There is no version {key}.")
        adapter = None if version_base(version).pk == version.pk else version
        return _pieces(endpoint_of(version_base(version)), adapter, served_model(version), messages, decoding)


def _versions(project: Project) -> list[ModelVersion]:
    """Return the project's policies that were ever live, the two to be compared first."""
    live = deployment_live(project=project)
    if live is None:
        return []
    first = [live.version]
    if live.previous is not None:
        first.append(live.previous.version)
    was_live = Deployment.objects.filter(project=project, live_at__isnull=False).values("version")
    others = ModelVersion.objects.filter(Q(pk__in=was_live) | Q(kind=VersionKind.SFT), project=project)
    ordered = [*first, version_base(live.version), *others.select_related("parent", "source").order_by("-pk")]
    return list({version.pk: version for version in ordered}.values())


def _pieces(
    endpoint: Endpoint, adapter: ModelVersion | None, model: str, messages: Sequence[Message], decoding: Decoding
) -> Generator[Piece, None, None]:
    plain = [{"role": message["role"], "content": message["content"]} for message in messages]
    try:
        with PolicyClient(endpoint, read_timeout_s=_SILENCE_S) as client:
            if adapter is not None:
                policy_load(client, adapter)
            for text, finish_reason in client.chat_stream(
                model=model, messages=plain, seed=decoding.seed, max_new_tokens=decoding.max_new_tokens,
                temperature=decoding.temperature,
            ):  # fmt: skip
                yield Piece(text, finish_reason)
    except EndpointDown as error:
        raise SourceDown(str(error)) from error
    except EndpointRefused as error:
        raise SourceRefused(str(error)) from error
