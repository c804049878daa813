"""The base of the demo project, for benchmarks on a clean clone: every stage at its defaults, as in `make round`."""

from pathlib import Path

from modeling.device import seed_everything
from modeling.rundir import RunDir
from modeling.spec import CorpusSpec, FileRef, PretrainSpec, SFTSpec, TokenizerSpec
from modeling.training import pretrain, sft, tokenizer
from modeling.world import corpus


def demo_base(work: Path) -> tuple[Path, Path]:
    """Return (base, prompts file), made under a folder unless they lie there, which takes two minutes."""
    base, made = work / "sft" / "artifacts" / "base", work / "corpus" / "artifacts"
    prompts = made / "prompts.jsonl"
    if not (work / "done").exists():
        seed_everything(0)
        corpus.run(CorpusSpec(), RunDir(work / "corpus"))
        texts = (FileRef(str(made / "texts.jsonl")),)
        tokenizer.run(TokenizerSpec(texts=texts), RunDir(work / "tokenizer"))
        encoding = str(work / "tokenizer" / "artifacts" / "tokenizer")
        pretrain.run(PretrainSpec(texts=texts, tokenizer=encoding), RunDir(work / "pretrain"))
        pretrained, dialogues = str(work / "pretrain" / "artifacts" / "base"), (FileRef(str(made / "dialogues.jsonl")),)
        sft.run(SFTSpec(base=pretrained, dialogues=dialogues), RunDir(work / "sft"))
        (work / "done").touch()
    return base, prompts
