# One image for every process of compose.yaml. TORCH_INDEX names the index of a torch build, as for `make run`.
FROM python:3.11-slim
ARG TORCH_INDEX=""
WORKDIR /app
COPY requirements.txt ./
COPY config/bootstrap.py config/bootstrap.py
RUN TORCH_INDEX="$TORCH_INDEX" python config/bootstrap.py requirements.txt
COPY . .
RUN useradd --create-home plumbline && mkdir /home/plumbline/var && chown plumbline /home/plumbline/var
USER plumbline
ENV PATH="/app/.venv/bin:$PATH" PLUMBLINE_HOME=/home/plumbline/var DJANGO_SETTINGS_MODULE=config.settings \
    HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false
