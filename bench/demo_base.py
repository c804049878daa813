"""A small base of the demo world for benchmarks on a clean clone: its own corpus, a short pretraining, a short SFT."""

from pathlib import Path

from modeling.device import seed_everything
from modeling.rundir import RunDir
from modeling.spec import CorpusSpec, FileRef, PretrainSpec, SFTSpec, TokenizerSpec
from modeling.training import pretrain, sft, tokenizer
from modeling.world import corpus


def demo_base(work: Path, *, n_tokens: int = 600_000) -> tuple[Path, Path]:
    """Return (base, prompts file), made under a folder unless they lie there: the demo's size, trained for a minute."""
    base, made = work / "sft" / "artifacts" / "base", work / "corpus" / "artifacts"
    prompts = made / "prompts.jsonl"
    if not (work / "done").exists():
        seed_everything(0)
        corpus.run(CorpusSpec(n_documents=10_000), RunDir(work / "corpus"))
        texts = (FileRef(str(made / "texts.jsonl")),)
        tokenizer.run(TokenizerSpec(texts=texts), RunDir(work / "tokenizer"))
        pretrain.run(
            PretrainSpec(texts=texts, tokenizer=str(work / "tokenizer" / "artifacts" / "tokenizer"), n_tokens=n_tokens),
            RunDir(work / "pretrain"),
        )
        sft.run(
            SFTSpec(
                base=str(work / "pretrain" / "artifacts" / "base"),
                dialogues=(FileRef(str(made / "dialogues.jsonl")),),
                epochs=1,
            ),
            RunDir(work / "sft"),
        )
        (work / "done").touch()
    return base, prompts
