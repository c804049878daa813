import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from alignment.domain.states import RoundState
from tests.alignment.factories import DeploymentFactory, RoundFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate():
    def to(name: str) -> None:
        MigrationExecutor(connection).migrate([("alignment", name)])

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes("alignment"))


def test_a_round_under_way_keeps_the_version_that_is_live_while_the_site_is_upgraded(migrate):
    live = DeploymentFactory()
    under_way = RoundFactory(project=live.project, state=RoundState.POLICY)
    ended = RoundFactory(project=live.project, state=RoundState.REJECTED)
    migrate("0001_initial")
    migrate("0002_round_previous")
    for round_, previous in ((under_way, live.version), (ended, None)):
        round_.refresh_from_db(fields=["previous"])
        assert round_.previous == previous
