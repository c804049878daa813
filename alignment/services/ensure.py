"""Making a round's runs: each purpose once, and only while the round is in the state that asked for it."""

from django.db import transaction as database
from django.utils import timezone
from django.utils.translation import gettext as _

from alignment.models import Round, Run
from alignment.services.specs import spec_make
from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.services.transition import transition_log


def run_ensure(*, round: Round, purpose: str) -> Run:
    """Return the round's run for a purpose, made and sent to a worker when there is none.

    Raises: RoundRefused when its specification cannot be made, Conflict when the round has moved on meanwhile.
    """
    known = round.runs.filter(purpose=purpose).first()
    if known is not None:
        return known
    stage, spec = spec_make(round, purpose)
    with database.atomic():
        # Holds the round's row: a cancel either comes first and is seen here, or waits and then finds this run.
        if not Round.objects.filter(pk=round.pk, state=round.state).update(state=round.state):
            raise Conflict(_("%(what)s has changed meanwhile; look again.") % {"what": round})
        run, created = Run.objects.get_or_create(
            round=round, purpose=purpose, defaults={"stage": stage, "spec": spec, "sent_at": timezone.now()}
        )
        if created:
            transition_log(obj=run, from_state="", to_state=run.state)
            dispatch("alignment.run_execute", run_id=run.pk)
    return run
