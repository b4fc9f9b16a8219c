"""The parts of the loop, built from a pair and settings: start, crops, objective, similarity."""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from . import latents, memory, objectives
from .crops import create_crops
from .images import load_image
from .models.pair import Pair
from .objectives import Objective
from .palettes import parse_colour, recolour
from .prompts import encode_prompt
from .regions import Area, outside, parse_region
from .settings import Settings

if TYPE_CHECKING:
    from .emoji.drawings import Start
    from .emoji.forming import Forming
    from .picture import Painting


class PartBuilder:
    """Builds the parts of the loop for one run's pictures, size (height, width) in pixels.

    What is slow to make is cached until a setting that it depends on changes. given: the parts
    that replace those of the loop, as `Run` takes them. dtype: what both networks compute in:
    float32, or for less time and memory float16, whose gradients agree better with float32's than
    bfloat16's do. saving: how a step fits into memory.

    In the methods, p: the picture that a part is for.
    """

    def __init__(
        self, pair: Pair, settings: Settings, size: tuple[int, int], given: Mapping[str, Any]
    ) -> None:
        self.pair, self.size, self.given = pair, size, given
        self._cache: dict[str, tuple[tuple, Any]] = {}
        fast = settings.precision == "auto" and pair.device.type == "cuda"
        self.dtype = torch.float16 if fast or settings.precision == "half" else torch.float32
        self.saving = memory.choose_saving(pair, size, settings.crops, self.dtype)

    def _cached(self, name: str, key: tuple, make: Callable[[], Any]) -> Any:
        if name not in self._cache or self._cache[name][0] != key:
            self._cache[name] = key, make()
        return self._cache[name][1]

    def save_memory(self) -> bool:
        """From now on less, which is said; False if there is no less."""
        if self.saving == memory.SAVINGS[-1]:
            return False
        self.saving = memory.SAVINGS[memory.SAVINGS.index(self.saving) + 1]
        # Dropout draws anew for each lot of crops.
        same = "differs a little" if self.pair.clip.dropout else "is the same"
        warnings.warn(f"the memory is full: {self.saving}; the picture {same}", stacklevel=6)
        return True

    # -- start

    def forming(self, p: Painting) -> Forming | None:
        """How the prior and the guide form a picture from noise; None where no prior does."""
        s, reading, seed = p.settings, p.reading, p.seed
        if not s.drawn or s.start != "noise" or s.activation_at == "every step":
            return None
        key = (reading, tuple(s.attributes), seed)
        return self._cached("forming", key, lambda: self.pair.forming(reading, s, self.size, seed))

    def start(self, p: Painting, generator: torch.Generator) -> torch.Tensor:
        """The latent (1, channels, h, w) that a picture starts from; noise is drawn from
        `generator` in any case."""
        s, vqgan = p.settings, self.pair.vqgan
        cells = (pixels // vqgan.downsample_factor for pixels in self.size)
        shape = p.forming.shape if p.forming else (1, vqgan.latent_channels, *cells)
        noise = latents.noise(
            shape, activation=s.activation, at=s.activation_at, generator=generator
        )
        if s.within_codebook:
            codes = torch.randint(len(vqgan.codebook.weight), (1, *shape[2:]), generator=generator)
            noise = vqgan.codebook_vectors(codes.to(self.pair.device))
        if "latent" in self.given:
            start = self.given["latent"]
            if tuple(start.shape) != shape:
                raise ValueError(f"latent has shape {tuple(start.shape)}: this run needs {shape}")
            return start
        start = self._cached("latent", _picture_key(p), lambda: self._encode(p))
        if start is None:
            return noise
        return start if s.start_strength == 1 else noise.to(start).lerp(start, s.start_strength)

    def found(self, p: Painting) -> Start | None:
        """The start from library or prior; None if it is a picture file or noise."""
        s = p.settings
        if s.init_image or (s.start == "noise" and (not s.prior or self.forming(p))):
            return None
        return self._cached("found", _start_key(p), lambda: self._find(p))

    def _find(self, p: Painting) -> Start | None:
        """The start that is asked for; from noise, a drawing where the prior cannot draw, which is
        said; None where CLIP paints alone."""
        s, reading = p.settings, p.reading
        if s.start != "noise":
            return self.pair.start(reading, s, self.size, p.seed)
        if not reading.text:
            return None  # a picture as the prompt
        found, why = None, f"the prior never drew {reading.text!r}"
        if s.activation_at == "every step":
            why = "an activation at every step would change what the prior draws"
        elif self.pair.library:
            drawn = s.replace(start="library")
            found = self.pair.start(reading, drawn, self.size, p.seed)
        begun = "CLIP paints alone" if found is None else "the picture begins with a drawing"
        warnings.warn(f"{self.pair.name}: {why}: {begun}", stacklevel=2)
        return found

    def picture(self, p: Painting) -> torch.Tensor | None:
        """The start as a picture (1, 3, h, w), in the colours of the palette if there is one; None
        for noise."""
        return self._cached("picture", _picture_key(p), lambda: self._decode(p))

    @torch.no_grad()
    def _decode(self, p: Painting) -> torch.Tensor | None:
        if p.settings.init_image:
            picture = load_image(p.settings.init_image, self.size).to(self.pair.device)
        elif (found := self.found(p)) is None:
            return None
        else:
            picture = self.pair.vqgan.synthesize(found.latent(self.pair.vqgan))
        colours = [parse_colour(text) for text in p.settings.palette]
        return recolour(picture, colours) if colours else picture

    @torch.no_grad()
    def _encode(self, p: Painting) -> torch.Tensor | None:
        found = self.found(p)
        if found is not None and not p.settings.palette:
            return found.latent(self.pair.vqgan)
        picture = self.picture(p)
        return None if picture is None else self.pair.vqgan.encode(picture)

    # -- crops

    def areas(self, s: Settings) -> list[Area]:
        """Where the regions are; ValueError for a region that does not fit the picture, and for
        settings that need the loop's own crops or objective where these are replaced."""
        if s.regions and (own := {"crops", "objective"} & self.given.keys()):
            raise ValueError(f"regions need the loop's own {' and '.join(sorted(own))}")
        looks = [n for n in ("palette", "style_image") if getattr(s, n)]
        if looks and "objective" in self.given:
            raise ValueError(
                f"{' and '.join(looks)} need the loop's own objective: add objectives.palette(...) "
                "or objectives.style(...) to yours"
            )
        areas = (parse_region(text).area(self.size).to(self.pair.device) for text in s.regions)
        return self._cached("areas", tuple(s.regions), lambda: list(areas))

    def crops(self, p: Painting, picture: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Views (n, 3, s, s) of a picture (1, 3, h, w): of the whole of it, then of each region; or
        of each thing that forms in it."""
        s, areas, side = p.settings, self.areas(p.settings), self.pair.clip.resolution
        options: dict[str, Any] = dict(noise_factor=s.noise_factor, method=s.crop_method)
        mirrored = s.crop_method in ("anchored", "report")  # the notebooks of others do not
        options |= dict(flip=0.5 if mirrored else 0.0, generator=generator)
        parts = [picture]
        if p.forming:
            parts = list(p.forming.fields(picture))
        elif areas:
            parts = [outside(picture, areas), *(area.cut(picture) for area in areas)]
        counts = (len(own) for own, _ in targets(p))
        views = zip(parts, counts, strict=True)
        return torch.cat([create_crops(part, count, side, **options) for part, count in views])

    # -- objective

    @torch.no_grad()
    def objective(self, p: Painting) -> Objective:
        """The objective of a picture: while things form, that of their names; else the report's
        loss, for each region too, palette, style, and edges and colours of the start, or of the
        latent that is kept. A given one takes its place."""
        if "objective" in self.given:
            given = objectives.as_objective(self.given["objective"])
            encode = functools.partial(encode_prompt, self.pair.clip)
            return self._cached("given", (), lambda: given.bind(encode))
        s, encodings, vqgan = p.settings, p.encodings, self.pair.vqgan
        if p.forming:
            terms = (
                float(read) * objectives.on_crops(own, objectives.report(name, alpha=s.alpha))
                for (own, name), read in zip(targets(p), p.forming.read, strict=True)
            )
            return functools.reduce(operator.add, terms)

        how: dict[str, Any] = dict(extras=encodings.extras, exclude=encodings.exclude)
        how |= dict(w1=s.w1, w2=s.w2, alpha=s.alpha, beta=s.beta, distance=s.distance)
        report: Callable[..., Objective] = functools.partial(objectives.report, **how)
        (whole, include), *regions = targets(p)
        total = report(include)
        if regions:
            total = objectives.on_crops(whole, total)
            for own, encoding in regions:
                total = total + s.region_weight * objectives.on_crops(own, report(encoding))
        if s.palette and s.palette_weight:
            total = total + s.palette_weight * objectives.palette(*map(parse_colour, s.palette))
        styled = bool(s.style_image and s.style_image_weight)
        if styled:
            style = self._cached("style", (s.style_image,), lambda: self._style(s.style_image))
            total = total + s.style_image_weight * style
        seen = self.pair.medium(p.reading) or (lambda picture: picture)
        keep_colours = 0.0 if styled else s.keep_colours  # a style picture brings its own colours
        for weight, term in ((s.keep_edges, objectives.edges), (keep_colours, objectives.areas)):
            if not weight:
                continue
            if p.kept is not None:
                total = total + weight * term(seen(vqgan.synthesize(p.kept, quantize=False)))
            elif (start := self.picture(p)) is not None:
                name, make = f"keep {term.__name__}", functools.partial(term, seen(start))
                total = total + weight * self._cached(name, _picture_key(p), make)
        return total

    def _style(self, file: str) -> Objective:
        vqgan = self.pair.vqgan
        return objectives.style(load_image(file).to(vqgan.codebook.weight), vqgan.features)


def crop_ranges(count: int, regions: int) -> list[range]:
    """Indices of a step's crops: `count` of the whole picture, then half as many of each region."""
    each = -(-count // 2)
    parts = [range(count + i * each, count + (i + 1) * each) for i in range(regions)]
    return [range(count), *parts]


def targets(p: Painting) -> list[tuple[range, torch.Tensor]]:
    """What a step's crops are compared with, as their indices and an encoding (1, d): the prompt of
    the whole picture and those of its regions; or the names of the things that form, with crops for
    each, one at least."""
    if p.forming:
        wanted = list(p.forming.encodings)
        each = max(1, p.settings.crops // len(wanted))
        ranges = [range(i * each, (i + 1) * each) for i in range(len(wanted))]
    else:
        wanted = [p.encodings.include[p.index], *p.encodings.regions[p.index]]
        ranges = crop_ranges(p.settings.crops, len(wanted) - 1)
    return list(zip(ranges, wanted, strict=True))


def similarity(p: Painting, crops: torch.Tensor) -> torch.Tensor:
    """Mean cosine in [-1, 1], a scalar, of the encodings (n, d) of a step's crops with what they
    are compared with, a prompt together with extras."""
    s, extras, found = p.settings, p.encodings.extras, []
    for own, wanted in (compared := targets(p)):
        if not p.forming:
            wanted = s.w1 * wanted + (0.0 if extras is None else s.w2 * extras)
        seen = crops if len(compared) == 1 else crops[own.start : own.stop]
        found.append(objectives.cosine(wanted, seen))
    return torch.stack(found).mean()


def _start_key(p: Painting) -> tuple:
    """What a start depends on."""
    s = p.settings
    if s.init_image or (s.start == "noise" and not s.prior):
        return (s.init_image,)
    return (s.start, p.reading, s.drawing, p.seed, tuple(s.attributes))


def _picture_key(p: Painting) -> tuple:
    """What the picture of a start depends on."""
    return (*_start_key(p), *p.settings.palette)
