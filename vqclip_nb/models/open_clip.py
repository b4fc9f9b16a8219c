"""SigLIP and its successors, of open_clip's classes, used as `ClipModel` is.

Needs `pip install open_clip_torch transformers sentencepiece`; words become tokens as the model's
own repository says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..weights import WeightsError
from .clip import ClipModel, warn_of_cut

# What SigLIP learned from; open_clip's own default is OpenAI's, which is wrong here and not told.
MEAN = STD = (0.5, 0.5, 0.5)


@dataclass(eq=False, kw_only=True)
class SigLip(ClipModel):
    """tokens: texts to (n, context_length)."""

    tokens: Callable[[list[str]], torch.Tensor]

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> torch.Tensor:
        tokens = self.tokens(texts)
        for text, row in zip(texts, tokens, strict=True):
            words = text.split()
            kept = len(words)
            while kept and self.tokens([" ".join(words[: kept - 1])])[0].equal(row):
                kept -= 1
            cut = [word for word in words[kept:] if any(map(str.isalnum, word))]
            warn_of_cut(cut, self.context_length)
        return self.model.encode_text(tokens.to(self.device))


def build_siglip(architecture: str, state: dict[str, torch.Tensor], **facts: Any) -> SigLip:
    """A frozen model from open_clip's state dict; facts as in `ClipModel`. WeightsError if
    open_clip has no SigLIP of that name, or the weights are not of it."""
    try:
        import open_clip
    except ImportError as e:
        needed = "open_clip_torch transformers sentencepiece"
        raise WeightsError(f"{architecture} needs: pip install {needed}") from e
    known = [name for name in open_clip.list_models() if "SigLIP" in name]
    if architecture not in known:
        raise WeightsError(
            f"open_clip={architecture[:80]!r} is not known: choose one of {', '.join(known)}"
        )
    try:
        shape = dict(open_clip.get_model_config(architecture))
        shape.pop("custom_text", None)  # says which class it is, and all are of this one
        with torch.device("meta"):  # no memory before the weights are known to fit
            model = open_clip.CustomTextCLIP(**shape)
        model.load_state_dict({k: v.float() for k, v in state.items()}, assign=True)
        tokens = open_clip.get_tokenizer(architecture)
    except (ImportError, OSError, ValueError) as e:
        raise WeightsError(f"{architecture}: its tokens cannot be had: {str(e)[:300]}") from e
    except RuntimeError as e:
        raise WeightsError(f"these are not the weights of {architecture}: {str(e)[:300]}") from e
    model.visual.input_resolution = model.visual.image_size[0]  # where OpenAI's class has it
    frozen = model.eval().requires_grad_(False)
    return SigLip(model=frozen, tokens=tokens, mean=MEAN, std=STD, **facts)
