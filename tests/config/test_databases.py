from config.databases import database_settings


def test_sqlite_takes_the_write_lock_when_a_transaction_begins(tmp_path):
    settings = database_settings(f"sqlite:///{tmp_path}/deep/db.sqlite3")

    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in settings["OPTIONS"]["init_command"]
    assert "synchronous=FULL" in settings["OPTIONS"]["init_command"]
    assert (tmp_path / "deep").is_dir()


def test_postgresql_is_pooled_and_requests_are_never_wrapped():
    settings = database_settings("postgresql://someone@db.example/plumbline?sslmode=require")

    assert settings["OPTIONS"]["pool"]["max_size"] == 8
    assert settings["OPTIONS"]["sslmode"] == "require"
    assert settings["CONN_MAX_AGE"] == 0
    assert settings["ATOMIC_REQUESTS"] is False
