from config.celery import app


def route(job):
    return app.amqp.router.route({}, job)["queue"].name


def test_trainings_have_a_queue_of_their_own():
    assert route("alignment.run_execute") == "train"
    assert route("alignment.round_advance") == "default"


def test_a_training_is_acknowledged_before_it_starts_and_a_short_job_after_it_ended():
    app.loader.import_default_modules()

    assert app.tasks["alignment.run_execute"].acks_late is False
    assert app.tasks["alignment.round_advance"].acks_late is True
    assert app.tasks["alignment.round_advance"].reject_on_worker_lost is True


def test_every_periodic_job_exists():
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_a_periodic_look_that_waited_too_long_is_dropped():
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] <= max(1.0, entry["schedule"])
