"""Django's settings, read from the environment in this one place. Every variable is in README, under Settings."""

import json
import sys
from urllib.parse import quote, urlsplit

from environs import Env

from config.databases import database_settings
from config.environment import BASE_DIR, broker_socket, home_dir, read_secret, secret_file, socket_dir
from config.logs import configure_logs

env = Env()

# ---- Places ---------------------------------------------------------------------------------------------------------

HOME = home_dir()
"""Everything that Plumbline writes: database, secrets, runs, models."""

RUNS_ROOT = HOME / "runs"
"""One folder a training run and attempt; all train workers see the same one."""

ARTIFACTS_ROOT = HOME / "artifacts"
"""Finished models and snapshots."""

SOCKET_DIR = socket_dir(HOME)

# ---- Site -----------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or read_secret(secret_file(HOME, "secret-key")) or "insecure-none-was-set"
"""`config.security.require_safe_secret` stops every server and worker that would run on the placeholder."""

SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", [])
"""Earlier keys: sessions, links and second factors that were made under them still work."""

PUBLIC_URL = env.str("PUBLIC_URL", "").rstrip("/")
"""The address that people type, when a proxy stands in front: https://plumbline.example.org."""

_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
if _public.hostname:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, _public.hostname]
    CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]  # each by its own name: for people who read only that
LANGUAGE_COOKIE_NAME = "plumbline_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]

INSTALLED_APPS = [
    "config.apps.PlumblineConfig",
    "feedback",
    "alignment",
    "django.contrib.admin.apps.SimpleAdminConfig",  # shows what config/admin.py registers, and nothing else
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "rules.apps.AutodiscoverRulesConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.security.SecurityHeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Pages compress to a fifth. Secrets in them (the CSRF token) are masked anew each time, and Django pads the bodies.
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.accounts.PersonMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.static_files.StaticFiles",
    },
}

# ---- People and their sessions --------------------------------------------------------------------------------------

AUTH_USER_MODEL = "feedback.User"
AUTHENTICATION_BACKENDS = [
    "rules.permissions.ObjectPermissionBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account:login"
LOGIN_REDIRECT_URL = "feedback:projects"
LOGOUT_REDIRECT_URL = "account:login"

_HTTPS = _public.scheme == "https"
ACCOUNT_ADAPTER = "config.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation vouches for a person; many sites send no mail at all
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to strangers whose address somebody typed
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if _HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXIES", 1 if PUBLIC_URL else 0)
"""How many proxies of one's own stand in front: sign-ins are limited by the address that the outermost one saw."""
MFA_ADAPTER = "config.accounts.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_TOTP_ISSUER = "Plumbline"
MFA_TOTP_TOLERANCE = 1  # phones whose clock is half a minute off sign in too
SOCIALACCOUNT_ADAPTER = "config.accounts.SingleSignOnAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form that is redirected to another site is refused by our own CSP's form-action
SOCIALACCOUNT_STORE_TOKENS = False
OIDC_SERVER_URL = env.str("OIDC_SERVER_URL", "")
"""An OpenID Connect issuer, for example https://login.example.org/realms/lab; empty means no single sign-on."""
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, object]] = {}
if OIDC_SERVER_URL:
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "sso",
                "name": env.str("OIDC_NAME", "") or "Single sign-on",
                "client_id": env.str("OIDC_CLIENT_ID"),
                "secret": env.str("OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_SERVER_URL},
            }
        ],
    }

SESSION_COOKIE_NAME = "plumbline_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True  # pages hand the token to htmx in an attribute of <body>
CSRF_COOKIE_NAME = "plumbline_csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
if _HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 30 * 24 * 3600

# ---- Mail -----------------------------------------------------------------------------------------------------------

EMAIL_HOST = env.str("EMAIL_HOST", "")
"""An SMTP server for password resets; without one the mails are written to the log of the web process."""
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env.int("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_SSL = EMAIL_PORT == 465
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", EMAIL_PORT == 587)
EMAIL_TIMEOUT = 10  # seconds: the person who asked waits for it
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", "") or f"plumbline@{_public.hostname or 'localhost'}"

# ---- API ------------------------------------------------------------------------------------------------------------

KNOX_TOKEN_MODEL = "feedback.ApiToken"  # noqa: S105 - a model's name
MIGRATION_MODULES = {"knox": None}  # else its own, unused table of keys is made, and no test can empty PostgreSQL's
REST_KNOX = {
    "TOKEN_TTL": None,  # a program's key lives until somebody revokes it
    "AUTO_REFRESH": False,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["feedback.api.authentication.ApiTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser", "rest_framework.parsers.MultiPartParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "feedback.api.errors.exception_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Plumbline",
    "DESCRIPTION": "Everything a program needs to be an annotator, and to launch and follow alignment rounds.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "RoundState": "alignment.domain.states.RoundState",
        "RunState": "alignment.domain.states.RunState",
    },
}

# ---- Services -------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": database_settings(env.str("DATABASE_URL", "") or f"sqlite:///{quote(str(HOME / 'db.sqlite3'))}")
}

_BROKER = quote(str(broker_socket(HOME)))
CACHE_URL = env.str("CACHE_URL", "") or f"unix://{_BROKER}?db=1"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}}

CELERY_BROKER_URL = env.str("BROKER_URL", "") or f"redis+socket://{_BROKER}"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]  # what lies in a broker is never unpickled
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {"alignment.run_execute": {"queue": "train"}, "feedback.turn_answer": {"queue": "live"}}
# Short jobs are idempotent and acknowledged late: a killed worker's message comes back.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# A training is acknowledged at once: it outlasts every visibility timeout, and Redis would start it once more beside
# itself. The database's lease and the reaper bring a lost one back.
CELERY_TASK_ANNOTATIONS = {"alignment.run_execute": {"acks_late": False, "reject_on_worker_lost": False}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
if CELERY_BROKER_URL.startswith(("redis", "rediss", "valkey")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # Longer than any short job (sampling a large batch takes minutes); a job redelivered while it still runs would
        # only repeat what is already stored.
        "visibility_timeout": 1_800,
        # Look for unacknowledged messages at every poll: with the default, redelivery came up to 100 s late.
        "unacked_restore_throttle": 1,
        # A broker that does not answer must not hold a request: dispatch then leaves the work to the periodic jobs.
        "socket_connect_timeout": 2,
    }
    CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.2}

# ---- Training and serving -------------------------------------------------------------------------------------------

RUN_HEARTBEAT_S = env.float("RUN_HEARTBEAT_S", 2.0)
"""How often a worker raises a run's heartbeat counter."""
RUN_REAP_S = env.float("RUN_REAP_S", 5.0)
"""How often the reaper looks; a counter that stood still over three looks means a dead worker."""
ROUNDS_ADVANCE_S = env.float("ROUNDS_ADVANCE_S", 5.0)
RECONCILE_S = env.float("RECONCILE_S", 15.0)
ASSIGNMENTS_EXPIRE_S = env.float("ASSIGNMENTS_EXPIRE_S", 30.0)
TURNS_WAKE_S = env.float("TURNS_WAKE_S", 5.0)
"""How often live turns are looked for whose worker died."""
ERASURES_FINISH_S = env.float("ERASURES_FINISH_S", 600.0)
"""How often texts are looked for that were stored by a request that ran while its author was erased."""
ANSWER_PATIENCE_S = env.float("ANSWER_PATIENCE_S", 30.0)
"""How long a policy that is down is asked again for a live turn: a server that is being started loads its weights."""
TASK_ACTIONS_S = env.float("TASK_ACTIONS_S", 30.0)
# Exclusions that a killed worker left in the middle.
EXCLUSIONS_S = env.float("EXCLUSIONS_S", 30.0)
"""How often changes of many tasks are looked for whose worker died."""
QUALITY_REFRESH_S = env.float("QUALITY_REFRESH_S", 60.0)
"""How often projects are looked for whose figures have become old."""
QUALITY_THIN_S = 3_600.0
"""How often reports are deleted that nobody looks at any more."""

RUN_RESEND_S = env.float("RUN_RESEND_S", 30.0)
"""A run that is queued longer than this gets a second message."""
RUN_STOP_GRACE_S = env.float("RUN_STOP_GRACE_S", 8.0)
"""What a training has to write its checkpoint before it is killed."""

MODELING_COMMAND = [sys.executable, "-m", "modeling"]
"""What runs a stage or serves a base; the stage's name and its run directory follow."""
TRAIN_NICE = env.int("TRAIN_NICE", 10)
"""Added to a training's niceness: on a shared machine the pages come first."""
MODELING_THREADS = env.int("MODELING_THREADS", 0)
"""Threads a modeling process may use; 0 lets it choose."""

POLICY_URL = env.str("POLICY_URL", "").rstrip("/")
"""An OpenAI-compatible server with vLLM's adapter calls, instead of the embedded policy server."""
POLICY_KEY = env.str("POLICY_KEY", "")
POLICY_KEY_FILE = secret_file(HOME, "policy-key")
POLICY_SOCKET_DIR = SOCKET_DIR

ANSWER_SOURCE = "alignment.policies.live.PolicyAnswers"
"""Who answers in live comparisons: a `feedback.ports.AnswerSource`."""
FOREIGN_ENDPOINTS = json.loads(env.str("FOREIGN_ENDPOINTS", "") or "{}")
"""Other OpenAI-compatible servers to compare with: {"name": {"url", "model", "key"}}, and "private": true where the
address is not public."""


def _every(job: str, seconds: float) -> dict[str, object]:
    # A look that waited longer than its period is dropped: the next one sees the same database.
    return {"task": job, "schedule": seconds, "options": {"expires": max(seconds, 1.0)}}


CELERY_BEAT_SCHEDULE = {
    job: _every(job, seconds)
    for job, seconds in {
        "feedback.assignments_expire": ASSIGNMENTS_EXPIRE_S,
        "feedback.erasures_finish": ERASURES_FINISH_S,
        "feedback.turns_wake": TURNS_WAKE_S,
        "feedback.task_actions_go_on": TASK_ACTIONS_S,
        "feedback.exclusions_apply": EXCLUSIONS_S,
        "feedback.quality_refresh": QUALITY_REFRESH_S,
        "feedback.quality_thin": QUALITY_THIN_S,
        "alignment.rounds_advance_all": ROUNDS_ADVANCE_S,
        "alignment.runs_reap": RUN_REAP_S,
        "alignment.deployment_reconcile": RECONCILE_S,
    }.items()
}

# ---- Logs -----------------------------------------------------------------------------------------------------------

LOGGING_CONFIG = None
configure_logs()
