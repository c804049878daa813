"""Live answers from fake servers over real HTTP: a project's own policies on a unix socket, foreign ones on a port."""

import socket
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from alignment.domain.states import DeploymentState, VersionKind
from alignment.policies.foreign import foreign_endpoints
from alignment.policies.live import PolicyAnswers
from alignment.selectors.deployment import served_wanted
from feedback.models import Source
from feedback.ports import Decoding, Offer, SourceDown, SourceRefused
from tests.alignment.factories import BuildRoundFactory, DeploymentFactory, ModelVersionFactory
from tests.feedback.factories import ConversationFactory

pytestmark = pytest.mark.django_db(transaction=True)

HELLO = [{"role": "user", "content": "Hello"}]
DECODING = Decoding(seed=5, max_new_tokens=8)


@pytest.fixture
def base():
    return ModelVersionFactory(name="base")


@pytest.fixture
def adapter(base, house):
    version = ModelVersionFactory(project=base.project, kind=VersionKind.POLICY, parent=base, name="adapter")
    (house / "artifacts" / "adapter").mkdir(parents=True)
    (house / "artifacts" / "adapter" / "adapter_config.json").write_text("{}")
    return version


@pytest.fixture
def foreign_server(settings):
    """Start a fake server on a port and register it as `other`."""
    from server import make_tcp_server  # noqa: PLC0415 - from the fake's folder

    server = make_tcp_server(0, "their-model", "their key")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    entry = {"url": url, "model": "their-model", "key": "their key", "private": True}
    settings.FOREIGN_ENDPOINTS = {"other": entry}
    yield server
    server.shutdown()
    server.server_close()


def ask(project, key, messages=HELLO):
    pieces = list(PolicyAnswers().stream(project=project, key=key, messages=messages, decoding=DECODING))
    return "".join(piece.text for piece in pieces), pieces[-1].finish_reason


def test_an_answer_comes_in_pieces_and_ends_with_a_reason(base, policy_server):
    policy_server(base)
    stream = PolicyAnswers().stream(project=base.project, key=base.source.key, messages=HELLO, decoding=DECODING)
    pieces = [(piece.text, piece.finish_reason) for piece in stream]
    texts = ["base ", "says ", "5 ", "to ", "Hello"]
    assert [text for text, _ in pieces if text] == texts
    assert pieces[-1][1] == "stop"


def test_characters_that_some_take_for_line_ends_stay_in_an_answer(base, policy_server):
    server = policy_server(base)
    server.text = "one\u2028two\x85three"
    assert ask(base.project, base.source.key)[0] == server.text


def test_an_adapter_is_loaded_before_it_is_asked(base, adapter, policy_server):
    server = policy_server(base)
    assert ask(base.project, adapter.source.key) == ("adapter says 5 to Hello", "stop")
    assert list(server.adapters) == ["adapter"]


def test_what_cannot_be_answered_is_told_apart_from_what_does_not_answer(base, policy_server):
    with pytest.raises(SourceDown, match="not up yet"):
        ask(base.project, base.source.key)
    server = policy_server(base)
    with pytest.raises(SourceRefused, match="no room"):
        ask(base.project, base.source.key, [{"role": "user", "content": "x" * 2_000}])
    server.break_after = 2
    with pytest.raises(SourceDown, match="middle"):
        ask(base.project, base.source.key)
    with pytest.raises(SourceRefused, match="no version"):
        ask(base.project, "unknown")


def test_a_policy_of_another_project_is_not_there(base, policy_server):
    policy_server(base)
    with pytest.raises(SourceRefused, match="no version"):
        ask(ModelVersionFactory().project, base.source.key)


def test_the_live_policy_and_the_one_before_stand_first(base, adapter):
    project = base.project
    assert PolicyAnswers().offers(project=project) == []
    first = DeploymentFactory(project=project, version=base, state=DeploymentState.RETIRED)
    live = DeploymentFactory(project=project, version=adapter, previous=first)
    offers = PolicyAnswers().offers(project=project)
    assert offers == [Offer(version.source.key, version.source.name) for version in (adapter, base)]
    live.previous = None
    live.save()
    assert PolicyAnswers().offers(project=project) == offers  # the SFT base takes the place of a previous one


def test_both_are_cut_where_the_project_cuts(base):
    assert PolicyAnswers().max_new_tokens(project=base.project) == 1_024
    BuildRoundFactory(project=base.project, number=0)
    assert PolicyAnswers().max_new_tokens(project=base.project) == 64


def test_a_foreign_endpoint_is_offered_and_asked_with_its_key_and_model(base, foreign_server):
    assert PolicyAnswers().offers(project=base.project) == [Offer("endpoint:other", "other")]
    assert ask(base.project, "endpoint:other") == ("their-model says 5 to Hello", "stop")
    foreign_server.key = "another key"
    with pytest.raises(SourceRefused, match="wrong key"):
        ask(base.project, "endpoint:other")


def test_a_policy_that_people_talk_with_is_kept_loaded(base):
    assert served_wanted() == []
    chat = ConversationFactory(project=base.project)
    chat.sources.set([base.source, Source.objects.exclude(pk=base.source_id).first()])
    assert [served.base for served in served_wanted()] == [base]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.1.2.3", "192.168.0.9", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"],
)
def test_a_public_endpoint_that_leads_inside_is_not_asked(base, settings, host):
    settings.FOREIGN_ENDPOINTS = {"other": {"url": f"https://{host}", "model": "m", "key": "k"}}
    with pytest.raises(SourceRefused, match="may not be asked"):
        ask(base.project, "endpoint:other")


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1"])
def test_not_even_a_private_one_leads_to_a_machines_own_secrets(base, settings, host):
    settings.FOREIGN_ENDPOINTS = {"other": {"url": f"http://{host}", "model": "m", "key": "k", "private": True}}
    with pytest.raises(SourceRefused, match="may not be asked"):
        ask(base.project, "endpoint:other")


def test_a_name_that_changes_after_it_was_checked_leads_nowhere_else(base, settings, monkeypatch, foreign_server):
    looked_up = []
    real = socket.getaddrinfo

    def look_up(host, port, *args, **kwargs):
        looked_up.append(host)
        return real("127.0.0.1" if looked_up.count("models.example.org") == 1 else "192.0.2.1", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    settings.FOREIGN_ENDPOINTS["other"]["url"] = f"http://models.example.org:{foreign_server.server_port}"
    assert ask(base.project, "endpoint:other")[1] == "stop"
    assert looked_up == ["models.example.org", "127.0.0.1"]


def test_one_bad_address_of_several_is_enough_to_refuse(base, settings, monkeypatch):
    found = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("alignment.policies.addresses.socket.getaddrinfo", lambda *_, **__: found)
    settings.FOREIGN_ENDPOINTS = {"other": {"url": "https://models.example.org", "model": "m", "key": "k"}}
    with pytest.raises(SourceRefused, match=r"10\.0\.0\.1"):
        ask(base.project, "endpoint:other")


def test_a_redirect_is_not_followed(base, foreign_server, monkeypatch):
    def redirect(handler):
        handler.send_response(307)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    monkeypatch.setattr(foreign_server.RequestHandlerClass, "do_POST", redirect)
    with pytest.raises(SourceRefused, match="307"):
        ask(base.project, "endpoint:other")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"url": "https://a.example", "model": "m"}, "give url, model and key"),
        ({"url": "https://a.example", "model": "m", "key": " "}, "must not be empty"),
        ({"url": "http://a.example", "model": "m", "key": "k"}, "https"),
        ({"url": "file:///etc/passwd", "model": "m", "key": "k", "private": True}, "https"),
        ({"url": "https://me:secret@a.example", "model": "m", "key": "k"}, "https"),
    ],
)
def test_an_entry_of_the_list_that_is_no_endpoint_is_refused(settings, entry, said):
    settings.FOREIGN_ENDPOINTS = {"other": entry}
    with pytest.raises(ImproperlyConfigured, match=said):
        foreign_endpoints()


def test_a_list_that_is_none_is_refused(settings):
    settings.FOREIGN_ENDPOINTS = ["https://a.example"]
    with pytest.raises(ImproperlyConfigured, match="must be an object"):
        foreign_endpoints()
