"""The pages of the labeling app and of people's accounts."""

from django.urls import URLPattern, URLResolver, include, path

from feedback.views import (
    account,
    announcement,
    data,
    draft,
    hours,
    invitation,
    label,
    language,
    live,
    member,
    personal,
    project,
    prompt,
    token,
    work,
)

account_urls: list[URLPattern] = [
    path("login/", account.Login.as_view(), name="login"),
    path("logout/", account.Logout.as_view(), name="logout"),
    path("account/", account.profile, name="profile"),
    path("account/projects/<int:project_id>/", account.opt_out, name="opt_out"),
    path("account/keys/", token.tokens, name="tokens"),
    path("account/keys/revoke/", token.revoke, name="token_revoke"),
    path("language/", language.choose, name="language"),
]
project_urls: list[URLPattern] = [
    path("", project.overview, name="project"),
    path("settings/", project.settings, name="project_settings"),
    path("prompts/", prompt.prompts, name="prompts"),
    path("members/", member.members, name="members"),
    path("members/remove/", member.remove, name="member_remove"),
    path("members/invite/", invitation.create, name="invitation_create"),
    path("members/invitations/revoke/", invitation.revoke, name="invitation_revoke"),
    path("members/hours.csv", hours.hours_csv, name="hours_csv"),
    path("announcements/", announcement.announcements, name="announcements"),
    path("announcements/unseen/", announcement.unseen, name="announcements_unseen"),
    path("announcements/<int:announcement_id>/end/", announcement.end, name="announcement_end"),
    path("label/", label.label, name="label"),
    path("label/claim/", label.claim, name="claim"),
    path("label/submit/", label.submit, name="submit"),
    path("label/skip/", label.skip, name="skip"),
    path("label/draft/", draft.draft, name="draft"),
    path("label/prefetch/", draft.prefetch, name="prefetch"),
    path("label/report/", label.report, name="report"),
    path("label/opt-out/", label.opt_out, name="opt_out"),
    path("label/last/", label.last, name="last"),
    path("label/<int:assignment_id>/", label.correct, name="correct"),
    path("live/", live.live, name="live"),
    path("live/turn/", live.turn, name="live_turn"),
    path("live/<int:conversation_id>/", live.state, name="live_state"),
    path("live/<int:conversation_id>/judge/", live.judge, name="live_judge"),
    path("live/<int:conversation_id>/again/", live.again, name="live_again"),
    path("live/<int:conversation_id>/end/", live.end, name="live_end"),
    path("work/", work.work, name="work"),
    path("data/", data.data, name="data"),
    path("data/preferences.jsonl", data.preferences_file, name="preferences_file"),
    path("data/judgments.jsonl", data.judgments_file, name="judgments_file"),
    path("data/demonstrations.jsonl", data.demonstrations_file, name="demonstrations_file"),
]
feedback_urls: list[URLPattern | URLResolver] = [
    path("", project.projects, name="projects"),
    path("account/data.json", personal.person_data, name="person_data"),
    path("account/erase/", personal.erase, name="erase"),
    path("invitations/<str:token>/", invitation.show, name="invitation"),
    path("invitations/<str:token>/accept/", invitation.accept, name="invitation_accept"),
    path("invitations/<str:token>/sign-up/", invitation.sign_up, name="invitation_sign_up"),
    path("projects/new/", project.new, name="project_new"),
    path("projects/<int:project_id>/", include(project_urls)),
]
urlpatterns = [
    path("", include((account_urls, "account"))),
    path("", include((feedback_urls, "feedback"))),
]
