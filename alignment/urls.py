"""The pages of building, rounds, runs and versions."""

from django.urls import include, path

from alignment.views import batch, build, round, run, version

alignment_urls = [
    path("build/", build.build, name="build"),
    path("rounds/", round.rounds, name="rounds"),
    path("rounds/launch/", round.launch, name="round_launch"),
    path("rounds/rollback/", round.rollback, name="rollback"),
    path("rounds/<int:number>/", round.round_page, name="round"),
    path("rounds/<int:number>/deploy/", round.deploy, name="round_deploy"),
    path("rounds/<int:number>/reject/", round.reject, name="round_reject"),
    path("rounds/<int:number>/cancel/", round.cancel, name="round_cancel"),
    path("rounds/<int:number>/runs/<int:run_id>/", run.run_page, name="run"),
    path("rounds/<int:number>/runs/<int:run_id>/cancel/", run.cancel, name="run_cancel"),
    path("batches/<int:number>/reopen/", batch.reopen, name="batch_reopen"),
    path("versions/<int:version_id>/", version.version, name="version"),
]
urlpatterns = [path("projects/<int:project_id>/", include((alignment_urls, "alignment")))]
