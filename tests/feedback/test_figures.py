import datetime as dt

import pytest

from feedback.templatetags.figures import about


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (dt.timedelta(seconds=5), "1 minute"),
        (dt.timedelta(minutes=89), "89 minutes"),
        (dt.timedelta(minutes=90), "2 hours"),
        (dt.timedelta(hours=35), "35 hours"),
        (dt.timedelta(hours=36), "2 days"),
        (dt.timedelta(days=364), "364 days"),
    ],
)
def test_an_estimate_of_time_has_one_fitting_unit(length, said):
    assert about(length) == said
