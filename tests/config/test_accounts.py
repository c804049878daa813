"""Second factors where they lie, and the way back for who lost theirs."""

import pytest
from allauth.mfa.models import Authenticator
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from config.accounts import SecondFactorAdapter
from feedback.models import Transition
from tests.feedback.factories import UserFactory

SECRET = "JBSWY3DPEHPK3PXP"


def test_a_secret_is_read_again_and_is_not_what_lies_there():
    stored = SecondFactorAdapter().encrypt(SECRET)
    assert SECRET not in stored
    assert stored != SecondFactorAdapter().encrypt(SECRET)
    assert SecondFactorAdapter().decrypt(stored) == SECRET


def test_an_earlier_key_still_opens_it(settings):
    stored = SecondFactorAdapter().encrypt(SECRET)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another long key that nobody guesses"
    assert SecondFactorAdapter().decrypt(stored) == SECRET


def test_under_a_lost_key_nobody_gets_in(settings):
    stored = SecondFactorAdapter().encrypt(SECRET)
    settings.SECRET_KEY = "another long key that nobody guesses"
    with pytest.raises(PermissionDenied):
        SecondFactorAdapter().decrypt(stored)


@pytest.mark.django_db
def test_a_site_admin_turns_a_lost_second_factor_off():
    annie, root = UserFactory(username="annie"), UserFactory(username="root", is_staff=True)
    Authenticator.objects.create(user=annie, type="totp", data={"secret": SECRET})
    with pytest.raises(CommandError, match="not an active site admin"):
        call_command("second_factor_off", "annie", by="annie")

    call_command("second_factor_off", "annie", by="root")

    assert not Authenticator.objects.exists()
    assert Transition.objects.get(object_type="feedback.user").actor == root
    with pytest.raises(CommandError, match="no second factor"):
        call_command("second_factor_off", "annie", by="root")
