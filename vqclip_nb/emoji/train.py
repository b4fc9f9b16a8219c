"""Train the pair that ships: a CLIP (also a second one, the judge) and a VQGAN, on composed emoji.

    python -m vqclip_nb.emoji.train clip  DATA OUT --steps 8000
    python -m vqclip_nb.emoji.train judge DATA OUT --steps 4000
    python -m vqclip_nb.emoji.train vqgan DATA OUT --steps 8000
    python -m vqclip_nb.emoji.train ship  DATA OUT     # into the package

DATA is what `vqclip_nb.emoji.data` wrote. OUT gets NAME.ckpt (resumed when the command is given
again), NAME.jsonl (a line per measurement) and at the end NAME.safetensors. `--start
FILE.safetensors` begins from finished weights instead.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.transforms.functional import normalize

from ..latents import Latent, noise
from ..models.clip import CLIP_MEAN, CLIP_STD, build_clip, clip_state, import_clip
from ..models.fast import encode_image, resnet_stem
from ..models.pair import EMOJI, load_pair
from ..pictures import norm_data
from ..show import Figure
from ..weights import write_state
from .data import COLOURS, HELD_OUT, STYLES, Scenes, article

CONTEXT = 32  # tokens: the longest composed caption has 26
SHAPES = {  # of clip.model.CLIP with a ResNet; text heads follow from the text width
    "clip": dict(
        embed_dim=256, layers=(1, 1, 1, 1), width=32, text_width=128, text_layers=2, seed=0
    ),
    "judge": dict(
        embed_dim=192, layers=(1, 2, 1, 1), width=24, text_width=128, text_layers=1, seed=1
    ),
}
VQGAN = dict(
    ch=64,
    out_ch=48,
    ch_mult=(1, 2),
    num_res_blocks=1,
    attn_resolutions=[],
    in_channels=48,
    resolution=32,
    z_channels=128,
    double_z=False,
    dropout=0.0,
)
UNSHUFFLE, EMBED_DIM, CODES = 4, 32, 2048
CONFIG = {"ddconfig": VQGAN, "embed_dim": EMBED_DIM, "n_embed": CODES, "unshuffle": UNSHUFFLE}
VQGAN_FACTS = {"config": json.dumps(CONFIG), "facts": json.dumps({"size": 128})}


def new_clip(name: str) -> nn.Module:
    """An untrained CLIP of OpenAI's class in one of `SHAPES`."""
    from clip.model import CLIP

    s = SHAPES[name]
    torch.manual_seed(s["seed"])
    return CLIP(
        s["embed_dim"],
        64,
        s["layers"],
        s["width"],
        None,
        CONTEXT,
        49408,
        s["text_width"],
        s["text_width"] // 64,
        s["text_layers"],
    ).float()


def bfloat16() -> torch.autocast:
    """Half precision on a CPU that computes in it; others imitate it, over ten times slower."""
    fast = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast("cpu", torch.bfloat16, enabled=fast)


def soft_crops(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Shake pictures (n, 3, s, s) as the painting loop does: zoom, turn, flip, padding, blur,
    colour cast, noise."""
    n = len(x)

    def draw(low: float, high: float) -> torch.Tensor:
        return torch.empty(n).uniform_(low, high, generator=generator).to(x.device)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(x.device)

    zoom, turn = draw(0.65, 1.2), draw(-0.35, 0.35) * (draw(0, 1) < 0.5)
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    room = (1 - zoom).abs()
    theta = torch.stack(
        [
            torch.stack([zoom * turn.cos() * flip, -zoom * turn.sin(), draw(-1, 1) * room], 1),
            torch.stack([zoom * turn.sin() * flip, zoom * turn.cos(), draw(-1, 1) * room], 1),
        ],
        1,
    )
    pad = "zeros" if torch.rand((), generator=generator) < 0.5 else "border"
    x = F.grid_sample(
        x,
        F.affine_grid(theta, list(x.shape), align_corners=False),
        padding_mode=pad,
        align_corners=False,
    )
    blur = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.where((draw(0, 1) < 0.25)[:, None, None, None], blur, x)
    tint = normal(n, 3, 3) * (0.1 * (draw(0, 1) < 0.5))[:, None, None]
    x = x + torch.einsum("nij,njhw->nihw", tint, x)
    level = draw(0, 0.2) * (draw(0, 1) < 0.6)
    return x + level[:, None, None, None] * normal(*x.shape)


def climb(move: torch.Tensor, way: torch.Tensor, length: float) -> torch.Tensor:
    """`move` (n, 3, s, s) plus an L2 step of `length` along `way`, cut back to that length."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1).norm(dim=1)[:, None, None, None] + 1e-12

    move = move + length * way / norm(way)
    return move * (length / norm(move)).clamp(max=1)


class Average:
    """An exponential moving average of weights and batch statistics, which is what gets measured
    and kept."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self.model, self.decay, self.steps = (
            copy.deepcopy(model).eval().requires_grad_(False),
            decay,
            0,
        )

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        keep = min(self.decay, self.steps / (self.steps + 10))
        for a, b in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if a.is_floating_point():
                a.lerp_(b, 1 - keep)
            else:
                a.copy_(b)


def clip_features(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """(n, 3, 64, 64) in [0, 1] to unit vectors (n, d)."""
    x = normalize(pictures, CLIP_MEAN, CLIP_STD)
    return F.normalize(
        model.encode_image(x.contiguous(memory_format=torch.channels_last)).float(), dim=-1
    )


def text_features(model: nn.Module, captions: list[str]) -> torch.Tensor:
    """Unit vectors (n, d) of captions."""
    import clip

    device = model.positional_embedding.device
    tokens = clip.tokenize(captions, context_length=CONTEXT, truncate=True).to(device)
    return F.normalize(model.encode_text(tokens).float(), dim=-1)


@torch.no_grad()
def guesses(
    model: nn.Module, data: Path, *, style: str = HELD_OUT
) -> tuple[torch.Tensor, list[str], list[list[str]]]:
    """`style`'s pictures on white (n, 3, 64, 64), their names, and for each the names that the CLIP
    would give it, likeliest first."""
    scenes = Scenes(data, size=64, styles=(style,))
    shown = scenes.present[0].nonzero()[:, 0]
    sprite = F.interpolate(
        scenes.sprites[0, shown].float() / 255, scale_factor=0.8, mode="bilinear", antialias=True
    )
    sprite = F.pad(sprite, (7, 6, 7, 6))
    pictures = sprite[:, :3] + 1 - sprite[:, 3:]
    truth = [scenes.names[int(scenes.name_of[c])] for c in shown]
    names = sorted(set(truth))
    templates = ("{}", "{} on a white background", "an emoji of {} on a white background")
    texts = sum(
        text_features(model, [t.format(article(name)) for name in names]) for t in templates
    )
    images = clip_features(model, pictures.to(texts.device))
    order = (images @ F.normalize(texts, dim=-1).T).argsort(descending=True)
    return pictures, truth, [[names[i] for i in row] for row in order.tolist()]


def retrieval(model: nn.Module, data: Path, *, style: str = HELD_OUT) -> dict[str, float]:
    """Share of `style`'s pictures on white whose concept the CLIP names first, and among five."""
    _, truth, order = guesses(model, data, style=style)
    place = [names.index(name) for name, names in zip(truth, order, strict=True)]
    return {
        "top1": sum(p == 0 for p in place) / len(place),
        "top5": sum(p < 5 for p in place) / len(place),
    }


class Session:
    """Checkpoints, learning-rate plan, averages, log: what both trainings share."""

    def __init__(
        self, name: str, model: nn.Module, args: argparse.Namespace, *, lr: float, decay: float
    ) -> None:
        self.name, self.args, self.model = name, args, model
        self.out = Path(args.out)
        self.out.mkdir(parents=True, exist_ok=True)
        flat = [
            p
            for k, p in model.named_parameters()
            if p.ndim < 2 or "embedding" in k or "codebook" in k
        ]
        rest = [
            p
            for k, p in model.named_parameters()
            if not (p.ndim < 2 or "embedding" in k or "codebook" in k)
        ]
        self.optimizer = torch.optim.AdamW(
            [{"params": rest, "weight_decay": decay}, {"params": flat, "weight_decay": 0.0}],
            lr=lr,
            betas=(0.9, 0.98),
        )
        warm, total = min(200, args.steps / 10), args.steps
        self.plan = (
            torch.optim.lr_scheduler.LambdaLR(  # flat, then down to nothing over the last 40 %
                self.optimizer,
                lambda i: min((i + 1) / warm, max(0.002, min(1, (total - i) / (0.4 * total)))),
            )
        )
        self.average = Average(model)
        self.step = 0
        self.seconds = 0.0
        path = self.out / f"{name}.ckpt"
        if path.exists():
            state = torch.load(path, map_location="cpu", weights_only=True)
            model.load_state_dict(state["model"])
            self.average.model.load_state_dict(state["average"])
            self.average.steps = self.step = state["step"]
            self.optimizer.load_state_dict(state["optimizer"])
            self.plan.last_epoch = self.step
            self.seconds = state["seconds"]
            print(f"{name}: resumed at step {self.step}")
        self.generator = torch.Generator().manual_seed(args.seed + self.step)
        self.rng = np.random.default_rng([args.seed, self.step])
        self.running: dict[str, float] = {}
        self.clock = time.time()

    def advance(self, loss: torch.Tensor, **figures: float) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.plan.step()
        self.average.update(self.model)
        self.step += 1
        for key, value in figures.items():
            self.running[key] = self.running.get(key, value) * 0.98 + value * 0.02

    def report(self, **figures: float) -> None:
        """Write a checkpoint and a line of the log; say how long the rest will take."""
        now = time.time()
        self.seconds += now - self.clock
        self.clock = now
        state = {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        part = self.out / f"{self.name}.part"
        torch.save(state, part)
        part.rename(self.out / f"{self.name}.ckpt")
        row = {"step": self.step, "minutes": self.seconds / 60, **self.running, **figures}
        row = {k: round(v, 4) for k, v in row.items()}
        with open(self.out / f"{self.name}.jsonl", "a") as log:
            log.write(json.dumps(row) + "\n")
        left = (self.args.steps - self.step) * self.seconds / max(1, self.step) / 60
        print(f"{self.name} {row}, {left:.0f} minutes left", flush=True)

    def keep(self, tensors: dict[str, torch.Tensor]) -> None:
        """Write weights that `vqclip_nb.open_pair` takes."""
        part = self.out / f"{self.name}.safetensors.part"
        save_file(tensors, part, VQGAN_FACTS if self.name == "vqgan" else {})
        part.rename(self.out / f"{self.name}.safetensors")

    def curves(self) -> Figure:
        """Every figure of the log over the steps."""
        with open(self.out / f"{self.name}.jsonl") as log:
            rows = [json.loads(line) for line in log]
        names = [k for k in rows[-1] if k not in ("step", "minutes", "scale", "attack")]
        figure = Figure(figsize=(2.6 * len(names), 2.4), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            known = [row for row in rows if name in row]
            axes.plot([row["step"] for row in known], [row[name] for row in known], marker=".")
            axes.set(title=name, xlabel="step")
        return figure


def clip_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The CLIP's state in half precision, with only the token rows that training ever moved.

    `token_embedding.rows` holds their ids (int32), as `pairs.build_clip` reads them; all other rows
    are zero.
    """
    state = {k: v.cpu() for k, v in model.state_dict().items()}
    rows = (state["token_embedding.weight"].abs().sum(1) > 0).nonzero()[:, 0]
    state["token_embedding.rows"] = rows.int()
    state["token_embedding.weight"] = state["token_embedding.weight"][rows]
    return {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}


def vocabulary(scenes: Scenes) -> list[str]:
    """Every phrase that a caption can be made of."""
    phrases = [*scenes.names, *scenes.labels, *(t for s in scenes.synonyms for t in s), *COLOURS]
    phrases += [w for s in STYLES.values() for w in s.words]
    return phrases + ["a an and next to beside above below in on big small background backdrop"]


def clip_losses(
    model: nn.Module,
    texts: torch.Tensor,
    scale: torch.Tensor,
    concept: torch.Tensor,
    pictures: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Total loss, contrastive loss, and share of pictures whose own caption is nearest.

    Besides the contrastive loss, each picture must find its concept among all of them, which
    teaches shapes sooner than the few captions of a batch can. Texts beyond the number of concepts
    are foils, captions of no picture, as in NegCLIP (Yuksekgonul et al. 2023): what other pictures'
    captions seldom tell apart, such as styles, they do. Pictures beyond it are paintings of the
    last captions (`Easel`): no caption may like them better than its own picture.
    """
    with bfloat16():
        images = clip_features(model, pictures)
    n, painted = len(concept), len(pictures) - len(concept)
    logits, truth = scale * images @ texts.T, torch.arange(n, device=images.device)
    pair = (F.cross_entropy(logits[:n], truth) + F.cross_entropy(logits[:, :n].T, truth)) / 2
    named = F.cross_entropy(20 * images[:n] @ F.normalize(model.proxies, dim=-1).T, concept)
    if painted:
        last = slice(n - painted, n)
        pair = pair + F.softplus((logits[n:, last] - logits[last, last]).diagonal()).mean()
    return pair + 0.5 * named, pair, (logits[:n].argmax(1) == truth).float().mean()


class Easel:
    """Paintings that the CLIP in training guides, each beside the scene that it should show.

    They are the contrastive loss's hardest negatives: what the guide likes and is no such scene it
    must unlearn, or it would paint that. `count` of them are kept and go on a step at a time, as
    the chains of an energy-based model do (Du and Mordatch 2019); after `steps` another scene
    takes the place.
    """

    def __init__(self, scenes: Scenes, count: int, device: torch.device, steps: int = 60) -> None:
        self.scenes, self.steps, self.device = scenes, steps, device
        pair = load_pair("emoji", device=device)
        self.vqgan, self.dropout = pair.vqgan, pair.dropout
        self.age = [steps] * count
        self.captions, self.concept = [""] * count, torch.zeros(count, dtype=torch.long)
        self.latents: list[Latent] = [None] * count
        self.optimizers: list[torch.optim.Optimizer] = [None] * count
        self.pictures = torch.zeros(count, 3, 64, 64)

    @torch.no_grad()
    def _refill(self, slots: list[int], rng: np.random.Generator, generator: torch.Generator):
        batch = self.scenes.batch(len(slots), rng)
        through = norm_data(
            self.vqgan.decode(
                self.vqgan.quantize(self.vqgan.encode(batch.pictures.to(self.device)))
            )
        )
        for i, slot in enumerate(slots):  # half through the VQGAN, or its traces would tell
            picture = through.cpu()[i] if rng.random() < 0.5 else batch.pictures[i]
            self.pictures[slot] = F.avg_pool2d(picture, 2)
            self.captions[slot], self.concept[slot] = batch.captions[i], batch.concept[i]
            # Those of the very start count as begun, so that they end at different times.
            self.age[slot] = 0 if self.latents[slot] else int(rng.integers(self.steps))
            shape = (1, self.vqgan.latent_channels, 16, 16)
            self.latents[slot] = Latent(noise(shape, generator=generator)).to(self.device)
            self.optimizers[slot] = torch.optim.AdamW(
                self.latents[slot].parameters(), lr=0.2, weight_decay=0.1
            )

    def step(
        self,
        model: nn.Module,
        mean: torch.Tensor,
        count: int,
        rng: np.random.Generator,
        generator: torch.Generator,
        *,
        views: int = 4,
    ) -> tuple[list[str], torch.Tensor, torch.Tensor, torch.Tensor, float]:
        """Take `count` of them a step further, away from `mean` (d), the mean of all texts.

        Returns captions, concepts, scenes and paintings (n, 3, 64, 64), and their similarity.
        """
        slots = rng.permutation(len(self.age))[:count].tolist()
        if finished := [slot for slot in slots if self.age[slot] >= self.steps]:
            self._refill(finished, rng, generator)
        captions = [self.captions[slot] for slot in slots]
        with torch.no_grad():
            wanted = F.normalize(text_features(model, captions) - mean, dim=-1)
        latents = torch.cat([self.latents[slot]() for slot in slots])
        with bfloat16():
            painted = norm_data(self.vqgan.decode(self.vqgan.quantize(latents))).float()
            painted = F.avg_pool2d(painted, 2)
            crops = soft_crops(painted.repeat(views, 1, 1, 1), generator)
            crops = normalize(crops, CLIP_MEAN, CLIP_STD)
            crops = crops.contiguous(memory_format=torch.channels_last)
            seen = encode_image(model.visual, crops, dropout=self.dropout, generator=generator)
            seen = F.normalize(seen.float(), dim=-1)
        similarity = (seen * wanted.repeat(views, 1)).sum(1).mean()
        (-similarity * count).backward(inputs=[self.latents[slot].data for slot in slots])
        for slot in slots:
            self.optimizers[slot].step()
            self.optimizers[slot].zero_grad()
            self.age[slot] += 1
        return (
            captions,
            self.concept[slots],
            self.pictures[slots],
            painted.detach(),
            similarity.item(),
        )


def train_clip(args: argparse.Namespace) -> Iterator[Session]:
    """Contrastive training in turns: a batch, then the same batch moved up its loss.

    Yields after each measurement; so does `train_vqgan`.

    The move is an L2 attack whose direction the first turn's own backward pass gives (Shafahi et
    al. 2019); its length grows over the first fifth. It is what makes a guide's gradients paint.
    """
    import clip

    scenes = Scenes(args.data, size=64)
    model = new_clip(args.what)
    with torch.no_grad():  # rows of unseen tokens stay zero and need not ship
        unseen = torch.ones(49408, dtype=torch.bool)
        unseen[clip.tokenize([w[:150] for w in vocabulary(scenes)], truncate=True).unique()] = False
        model.token_embedding.weight[unseen] = 0
        model.logit_scale.fill_(np.log(20))
    if args.start:
        model.load_state_dict(clip_state(load_file(args.start)))
    model.proxies = nn.Parameter(
        torch.randn(len(scenes.names), SHAPES[args.what]["embed_dim"]) * 0.05
    )
    model = model.to(args.device, memory_format=torch.channels_last)
    run = Session(args.what, model, args, lr=args.lr or 1e-3, decay=0.05)
    if args.painted:
        easel = Easel(Scenes(args.data), 3 * args.painted, args.device)
        captions = scenes.batch(min(500, len(scenes.pairs)), run.rng).captions
        with torch.no_grad():
            mean = text_features(model, captions).mean(0)
    turns = 2 if args.attack else 1
    while run.step < args.steps:
        batch = scenes.batch(args.batch - args.painted, run.rng)
        captions, concept, pictures, figures = batch.captions, batch.concept, batch.pictures, {}
        if args.painted:
            *more, figures["painted"] = easel.step(
                model.eval(), mean, args.painted, run.rng, run.generator
            )
            model.train()
            captions, concept = captions + more[0], torch.cat([concept, more[1]])
            pictures = torch.cat([pictures, *more[2:]])
        clean, concept = soft_crops(pictures, run.generator), concept.to(args.device)
        warm = 0 if args.start else 0.1 * args.steps
        length = args.attack * min(1.0, max(0.0, (run.step - warm) / (0.1 * args.steps)))
        length *= run.rng.uniform(0.4, 1.0)  # weak and strong attacks
        move = torch.randn(clean.shape, generator=run.generator)
        move = climb(torch.zeros_like(clean), move, 0.5 * length).to(args.device)
        clean = clean.to(args.device)
        for _ in range(turns):
            x = (clean + move).clamp(0, 1).requires_grad_()
            with bfloat16():
                texts = text_features(model, captions + batch.foils)
            scale = model.logit_scale.exp().clamp(max=60)
            loss, pair, right = clip_losses(model, texts, scale, concept, x)
            figures |= dict(total=loss.item(), pair=pair.item(), right=right.item())
            run.advance(loss, **figures)
            move = climb(move, x.grad, length)
        if run.step % args.every < turns or run.step >= args.steps:
            run.report(**retrieval(run.average.model, args.data), scale=scale.item(), attack=length)
            final = copy.deepcopy(run.average.model)
            del final.proxies
            run.keep(clip_tensors(final))
            yield run


class Autoencoder(nn.Module):
    """taming's Encoder and Decoder around a codebook kept by vector-quantize-pytorch."""

    def __init__(self) -> None:
        super().__init__()
        from taming.modules.diffusionmodules.model import Decoder, Encoder
        from vector_quantize_pytorch import VectorQuantize

        with contextlib.redirect_stdout(io.StringIO()):  # taming prints its shapes
            self.encoder, self.decoder = Encoder(**VQGAN), Decoder(**VQGAN)
        self.quant_conv = nn.Conv2d(VQGAN["z_channels"], EMBED_DIM, 1)
        self.post_quant_conv = nn.Conv2d(EMBED_DIM, VQGAN["z_channels"], 1)
        self.codebook = VectorQuantize(
            EMBED_DIM,
            CODES,
            kmeans_init=True,
            decay=0.95,
            threshold_ema_dead_code=1,
            accept_image_fmap=True,
            commitment_weight=0.25,
        )

    def forward(
        self, x: torch.Tensor, *, quantize: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(n, 3, 128, 128) in [-1, 1] to reconstruction, code indices and commitment loss."""
        z = self.quant_conv(self.encoder(F.pixel_unshuffle(x, UNSHUFFLE))).float()
        indices, commit = torch.zeros(0), z.new_zeros(())
        if quantize:
            with torch.autocast(x.device.type, enabled=False):
                z, indices, commit = self.codebook(z)
        return (
            F.pixel_shuffle(self.decoder(self.post_quant_conv(z)), UNSHUFFLE).float(),
            indices,
            commit,
        )

    def rebuild(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures in [0, 1] through the codes and back, and the codes."""
        device = self.quant_conv.weight.device
        y, codes, _ = self(x.to(device) * 2 - 1, quantize=True)
        return norm_data(y), codes


def picture_loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """L1 + squares + edges + overall colour, on pictures in [-1, 1]."""
    d = a - b
    edges = d - F.avg_pool2d(F.pad(d, (2, 2, 2, 2), mode="reflect"), 5, 1)
    return (
        d.abs().mean() + d.square().mean() + edges.abs().mean() + F.avg_pool2d(d, 16).abs().mean()
    )


def perceptual_loss(model: nn.Module, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Distance in the CLIP's first two stages, on the pictures halved to its own 64×64."""

    def stages(x: torch.Tensor) -> list[torch.Tensor]:
        v = model.visual
        x = resnet_stem(v, F.avg_pool2d(x, 2))
        one = v.layer1(v.avgpool(x))
        return [F.normalize(x, dim=1), F.normalize(one, dim=1), F.normalize(v.layer2(one), dim=1)]

    with torch.no_grad():
        target = stages(b)
    return sum((p - q).square().sum(1).mean() for p, q in zip(stages(a), target, strict=True))


@torch.no_grad()
def reconstruction(
    rebuild: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    scenes: Scenes,
    *,
    count: int = 100,
) -> dict[str, float]:
    """PSNR (dB, on [0, 1]) and share of codes in use over `count` scenes no training step sees.

    `rebuild` maps pictures in [0, 1] to what comes back and to the codes in between.
    """
    rng, squares, used = np.random.default_rng(10**9), [], set()
    for _ in range(count // 20):
        x = scenes.batch(20, rng).pictures
        y, codes = rebuild(x)
        squares += (y.cpu() - x).square().flatten(1).mean(1).tolist()
        used |= set(codes.flatten().tolist())
    psnr = float(np.mean(-10 * np.log10(np.array(squares) + 1e-10)))
    return {"psnr": psnr, "codes": len(used) / CODES}


def vqgan_tensors(model: Autoencoder) -> dict[str, torch.Tensor]:
    """Slim form with taming's names; the latent is scaled so that its codes have a spread of .5."""
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("codebook.")}
    codes = model.codebook.codebook.float()
    scale = 0.5 / codes.std()
    for key in ("quant_conv.weight", "quant_conv.bias"):
        state[key] = state[key] * scale
    state["post_quant_conv.weight"] = state["post_quant_conv.weight"] / scale
    state["quantize.embedding.weight"] = codes * scale
    return {k: v.half().cpu().contiguous() for k, v in state.items()}


def train_vqgan(args: argparse.Namespace) -> Iterator[Session]:
    """Reconstruction, perceptual and (from `--gan-from` on) adversarial training of the
    autoencoder."""
    scenes = Scenes(args.data)
    torch.manual_seed(args.seed)
    model = Autoencoder().to(args.device, memory_format=torch.channels_last)
    run = Session("vqgan", model, args, lr=args.lr or 6e-4, decay=1e-4)
    guide = None
    if args.guide:
        guide = build_clip(load_file(args.guide)).to(args.device)
    critic = critic_optimizer = None
    while run.step < args.steps:
        x = scenes.batch(args.batch, run.rng).pictures * 2 - 1
        x = x.to(args.device, memory_format=torch.channels_last)
        with bfloat16():
            y, _, commit = model(x, quantize=run.step >= args.codes_from)
        loss = picture_loss(y, x) + commit
        figures = {"picture": loss.item()}
        if guide is not None:
            with bfloat16():
                likeness = perceptual_loss(guide, y, x)
            loss = loss + args.perceptual * likeness
            figures["likeness"] = likeness.item()
        if run.step >= args.gan_from:
            if critic is None:
                from taming.modules.discriminator.model import NLayerDiscriminator

                critic = NLayerDiscriminator(input_nc=3, ndf=24, n_layers=2).to(args.device)
                critic_optimizer = torch.optim.AdamW(critic.parameters(), lr=2e-4, betas=(0.5, 0.9))
            with bfloat16():
                real, false = critic(x), critic(y.detach())
            blame = F.relu(1 - real).mean() + F.relu(1 + false).mean()
            critic_optimizer.zero_grad()
            blame.backward()
            critic_optimizer.step()
            with bfloat16():
                fake = critic(y).mean()
            loss = loss - args.gan * fake
            figures["critic"] = blame.item()
        run.advance(loss, **figures)
        if run.step % args.every == 0 or run.step == args.steps:
            coded = run.step > args.codes_from
            run.report(**(reconstruction(run.average.model.rebuild, scenes) if coded else {}))
            run.keep(vqgan_tensors(run.average.model))
            yield run


@torch.no_grad()
def centre(state: dict[str, torch.Tensor], scenes: Scenes, *, count: int = 1000) -> None:
    """Move the mean of all captions' encodings, and of all pictures', to the origin, in place.

    All captions share a large part that says nothing about any one of them; while it is there, a
    painting gains more by looking like pictures in general than like the one asked for. Both
    encoders end in an affine map, so the mean can be taken off a bias and no other code has to
    know.
    """
    batch = scenes.batch(count, np.random.default_rng(0))
    model = build_clip(state)
    tokenize = import_clip().tokenize
    texts = model.encode_text(tokenize(batch.captions, context_length=CONTEXT, truncate=True))
    images = model.encode_image(normalize(batch.pictures, CLIP_MEAN, CLIP_STD))
    state["visual.attnpool.c_proj.bias"] = state[
        "visual.attnpool.c_proj.bias"
    ].float() - images.mean(0)
    before = torch.linalg.lstsq(model.text_projection.T, texts.mean(0)[:, None]).solution[:, 0]
    state["ln_final.bias"] = state["ln_final.bias"].float() - before


def ship(args: argparse.Namespace) -> None:
    """Put the finished weights into the package, with what the loader must know."""
    scenes = Scenes(args.data, size=64)
    (EMOJI / "concepts.txt").write_text(
        "".join(f"{article(name)}\n" for name in scenes.names), encoding="utf8"
    )
    words = {w for v in vocabulary(scenes) for w in re.findall(r"[\w'’-]+", v.lower())}
    # The training pictures have plain backgrounds; left free, the pair fills them with patches.
    knows = {"words": sorted(words), "ground": "on a white background", "dropout": 0.2}
    metadata = {
        "clip": {"facts": json.dumps(knows, ensure_ascii=False)},
        "vqgan": VQGAN_FACTS,
    }
    for name in ("clip", "vqgan", "judge"):
        source = args.out / f"{name}.safetensors"
        if source.exists():
            state = load_file(source)
            if name != "vqgan":
                centre(state, scenes)
            write_state(EMOJI / source.name, state, metadata.get(name, {}))
            print(f"{EMOJI / source.name}: {source.stat().st_size / 1e6:.1f} MB")


def options(argv: list[str] | None = None) -> argparse.Namespace:
    """What the command line says, with what follows from it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("clip", "judge", "vqgan", "ship"))
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--attack",
        type=float,
        default=2.5,
        help="greatest length of the L2 attack, pictures in [0, 1]",
    )
    parser.add_argument(
        "--painted", type=int, default=0, help="paintings of its own in each batch, as negatives"
    )
    parser.add_argument("--start", type=Path, help="finished weights to begin from")
    parser.add_argument("--codes-from", type=int, default=300, help="step at which codes begin")
    parser.add_argument("--guide", type=Path, help="a CLIP's weights for the perceptual loss")
    parser.add_argument("--perceptual", type=float, default=0.5)
    parser.add_argument("--gan", type=float, default=0.02)
    parser.add_argument(
        "--gan-from", type=int, default=10**9, help="step at which the discriminator begins"
    )
    parser.add_argument("--device", help="cpu or cuda; left out: cuda where there is one")
    args = parser.parse_args(argv)
    args.device = torch.device(args.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    args.batch = args.batch or (16 if args.what == "vqgan" else 160)
    return args


def main(argv: list[str] | None = None) -> None:
    args = options(argv)
    torch.set_num_threads(args.threads)
    if args.what == "ship":
        ship(args)
        return
    for _ in train_vqgan(args) if args.what == "vqgan" else train_clip(args):
        pass


if __name__ == "__main__":
    main()
