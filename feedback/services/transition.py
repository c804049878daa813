"""The one way in which anything changes its state."""

import enum
from collections.abc import Mapping
from typing import Any, Protocol

from django.db import models, transaction
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict
from feedback.domain.states import IllegalTransition
from feedback.models import Transition, User
from feedback.services.rows import row_add


class Stateful(Protocol):
    """A model instance with a state and the table of what may follow it."""

    pk: Any
    state: Any
    legal_transitions: Mapping[enum.Enum, frozenset[enum.Enum]]


def transition(
    *,
    obj: Stateful,
    to: enum.Enum,
    actor: User | None = None,
    reason: str = "",
    where: Mapping[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Move an object to a state, conditionally on the state it is in, and record it in the same transaction.

    `where` adds conditions (a lease id), `changes` sets further fields with the state; the object is updated in place.

    Raises: IllegalTransition when the table does not allow it, Conflict when the object has changed meanwhile.
    """
    before = type(to)(obj.state)
    if to not in obj.legal_transitions[before]:
        raise IllegalTransition(
            _("%(what)s cannot go from %(before)s to %(to)s.") % {"what": obj, "before": before.value, "to": to.value}
        )
    rows = type(obj)._default_manager.filter(pk=obj.pk, state=before, **(where or {}))  # type: ignore[attr-defined]  # noqa: SLF001
    with transaction.atomic():
        if not rows.update(state=to, **changes):
            raise Conflict(_("%(what)s has changed meanwhile; look again.") % {"what": obj})
        transition_log(obj=obj, from_state=before.value, to_state=to.value, actor=actor, reason=reason)
    for name, value in {"state": to, **changes}.items():
        setattr(obj, name, value)


def transition_log(
    *, obj: Any, from_state: str, to_state: str, actor: User | None = None, reason: str = ""
) -> Transition:
    """Record a change that the caller made itself, in the caller's transaction."""
    assert isinstance(obj, models.Model)
    logged = Transition(
        object_type=obj._meta.label_lower,  # noqa: SLF001 - Django's public name for it
        object_id=obj.pk,
        from_state=from_state,
        to_state=to_state,
        actor=actor,
        reason=reason,
    )
    row_add(logged)
    return logged
