# What one does with Plumbline. `make run` needs Python 3.11 or newer, git and make; nothing else.
#   make run PORT=9000 HOST=0.0.0.0     another address
#   make run TORCH_INDEX=<url>          a torch build from another index (the CPU-only one on a machine without a GPU)
#   make run PYTHON=python3.12          another interpreter
#   make round ARGS="--seed 2"          options: make round ARGS=--help

SHELL := /bin/bash
PORT ?= 8000
HOST ?= 127.0.0.1
TORCH_INDEX ?=
ARGS ?=
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
VENV := .venv/bin/python
# Two processes: browsers, brokers and databases wait for each other, and one alone leaves half a machine idle. Tests
# that watch a clock or kill something can fail beside others; only what fails alone as well counts as failed.
TWICE := -n 2 --dist worksteal
export PORT HOST TORCH_INDEX

.PHONY: help run install install-dev browser test test-fast check format messages bench bench-labeling bench-sampling bench-dpo bench-ppo bench-gpu round clean

help:
	@sed -n "s/^# *//p;/^SHELL/q" Makefile; echo; grep -E "^[a-z-]+:.*##" Makefile | sed -E "s/:.*## /\t/" | expand -t 16

run: install  ## start everything and stay in the foreground
	@exec $(VENV) -m config.supervisor

install:  ## make .venv with what running needs
	@command -v $(PYTHON) >/dev/null || { echo "Cannot install: Plumbline needs Python 3.11 or newer, and there is no $(PYTHON)." >&2; exit 1; }
	@$(PYTHON) config/bootstrap.py requirements.txt

install-dev: install  ## ... and what tests and checks need
	@$(PYTHON) config/bootstrap.py requirements-dev.txt

browser: install-dev  ## fetch a browser for the tests where the system has none
	@command -v chromium >/dev/null || test -x "$(CHROMIUM)" || .venv/bin/playwright install chromium

# Both passes run even when the first fails. What touches no database would only repeat itself on the second.
test: install-dev browser  ## all tests, on SQLite and on a private PostgreSQL, with a browser and the loop
	@status=0; \
	try() { "$$@" $(TWICE) || { echo "== What failed beside others, once more alone"; "$$@" --last-failed --last-failed-no-failures none; }; }; \
	echo "== SQLite"; try $(VENV) -m pytest -o cache_dir=.pytest_cache/sqlite $(ARGS) || status=1; \
	echo "== PostgreSQL"; try $(VENV) -m tests.private_postgres \
		$(VENV) -m pytest -o cache_dir=.pytest_cache/postgresql --only-database $(ARGS) || status=1; \
	exit $$status

test-fast: install-dev  ## what takes seconds, on SQLite
	@$(VENV) -m pytest $(TWICE) -m "not slow and not e2e" $(ARGS)

check: install-dev  ## format, lint, types, import contracts, templates, migrations
	@status=0; \
	try() { echo "== $$*"; "$$@" || status=1; }; \
	try .venv/bin/ruff format --check .; \
	try .venv/bin/ruff check .; \
	try .venv/bin/mypy config feedback alignment modeling bench; \
	try .venv/bin/lint-imports; \
	try .venv/bin/djlint templates --check --quiet; \
	try .venv/bin/djlint templates --lint --quiet; \
	try $(VENV) manage.py makemigrations --check --dry-run; \
	exit $$status

format: install-dev  ## let ruff and djlint write what they would ask for
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix . && .venv/bin/djlint templates --reformat --quiet

messages: install-dev  ## bring the catalogues of translations up to date and compile them (needs gettext)
	@$(VENV) manage.py makemessages --all --no-location --no-obsolete -v 0 $(foreach f,tests bench docs var,-i '$(f)/*')
	@for f in locale/*/LC_MESSAGES/django.po; do msgcat --sort-output --width=100 -o $$f $$f; done
	@$(VENV) manage.py compilemessages -v 0 -i .venv

bench: install-dev  ## how long claiming takes while a round trains
	@$(VENV) -m bench.claim_latency $(ARGS)

bench-labeling: install-dev  ## how many tasks are claimed and judged a second with 10k, 100k and 1M of them (half an hour)
	@$(VENV) -m bench.labeling $(ARGS)

bench-sampling: install-dev  ## tokens a second of our sampler beside transformers' generate (five minutes)
	@$(VENV) -m bench.sampling $(ARGS)

bench-dpo: install-dev  ## how fast dpo and reward train beside plain trl scripts (10 minutes)
	@$(VENV) -m bench.dpo $(ARGS)

bench-ppo: install-dev  ## our PPO beside trl 1.12's: speed, memory, win rate and KL (half an hour)
	@$(VENV) -m bench.ppo $(ARGS)

bench-gpu: install  ## speed and memory of sampling and training on one CUDA GPU (eight minutes; says so where there is none)
	@HF_HUB_OFFLINE=1 $(VENV) -m bench.gpu $(ARGS)

round: install  ## the whole loop without a browser, in a temporary home
	@exec $(VENV) -m config.round $(ARGS)

clean:  ## remove caches; keeps .venv and var
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
