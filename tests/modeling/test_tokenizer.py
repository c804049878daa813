import os
import random
import signal
import subprocess
import sys
import time

import pytest

from modeling.errors import Stopped
from modeling.spec import ExitCode, TokenizerSpec
from modeling.training import tokenizer
from tests.modeling.conftest import TEXTS, read_events


def test_a_stop_is_heard_while_texts_are_read(run_dir, write_jsonl):
    run_dir.request_stop()
    with pytest.raises(Stopped, match="trained again from the start"):
        tokenizer.run(TokenizerSpec(texts=(write_jsonl([{"text": text} for text in TEXTS]),), vocab_size=300), run_dir)
    assert not (run_dir.path / "artifacts").exists()


@pytest.mark.slow
def test_sigterm_ends_the_process_before_all_texts_are_read(tmp_path, write_jsonl):
    draw = random.Random(0)
    words = [f"{draw.getrandbits(40):x}" for _ in range(50_000)]
    texts = write_jsonl(
        {"text": " ".join(draw.choices(words, k=200))} for _ in range(12_000)
    )  # some seconds of reading
    process = subprocess.Popen(
        [sys.executable, "-m", "modeling", "tokenizer", "--run-dir", tmp_path / "run", "--texts", texts.path],
        env={**os.environ, "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (tmp_path / "run" / "events.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == ExitCode.STOPPED
    *progress, last = read_events(tmp_path / "run")
    assert last["type"] == "error"
    assert progress[-1]["done"] < progress[-1]["total"]
