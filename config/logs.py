"""How every process of the house logs: structlog in front, one line an event on stderr, readable or JSON.

The supervisor puts the time and the process's name in front of the readable form, so it carries neither.
"""

import logging.config
import os
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.StackInfoRenderer(),
]


def configure_logs() -> None:
    """Route standard logging and structlog to stderr. LOG_FORMAT=json writes JSON; LOG_LEVEL sets the threshold."""
    as_json = os.environ.get("LOG_FORMAT") == "json"
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(log_settings(as_json=as_json, level=os.environ.get("LOG_LEVEL", "INFO")))


def log_settings(*, as_json: bool, level: str) -> dict[str, Any]:
    """Return the `logging.config` dictionary that structlog and the standard library share."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *(_json_tail() if as_json else _readable_tail()),
                ],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line for each beat and each received job would drown everything else.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # What visitors may not or cannot reach is answered on a page; only our own failures belong here.
            "django.request": {"level": "ERROR"},
            "django.security.csrf": {"level": "ERROR"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "django.server": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        },
    }


def _json_tail() -> list[Any]:
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]


def _readable_tail() -> list[Any]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=False, pad_event_to=0, pad_level=False, exception_formatter=structlog.dev.plain_traceback
        )
    ]
