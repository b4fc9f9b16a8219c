"""The report's notebook, figures 9 to 16, under its own names, on top of this package.

    r = Report(pair)                                                              # figures 9 to 11
    r.include_enc, r.exclude_enc, r.extras_enc = r.createEncodings(include, exclude, extras)
    Params, optimizer = r.init_params()
    res_img, res_z = r.training_loop(Params, optimizer, show_crop=True)             # figure 16

What the report keeps in globals are attributes of a `Report`, to be read and set. Figures 7 and 8
are the installation; `load_config`, `load_vqgan` (11) and `clip.load` (10) are `load_pair` and
`open_pair`. `create_crops` and `showme` are called in the report and printed nowhere.

Losses are those of `Run` with `Settings.preset("report")`, but for rounding: the mean is taken over
the crops' losses here and over their cosines there.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from . import crops, latents, prompts
from .images import norm_data
from .latents import Latent
from .models.pair import Pair
from .settings import Settings
from .show import Figure, show_from_tensor

__all__ = ["Report", "norm_data", "show_from_tensor"]
log = logging.getLogger(__name__)
Encoding = torch.Tensor | list  # (1, d), or [] where there is none


@dataclass(eq=False)
class Report:
    """The report's functions with its parameters; `show` gets every figure, as IPython's `display`.

    im_shape: height, width in pixels, and 3. num_crops: the 30 of the report's comments. seed: of
    each picture, as in `Settings`.
    """

    pair: Pair
    learning_rate: float = 0.5  # figure 9
    batch_size: int = 1
    wd: float = 0.1
    noise_factor: float = 0.22
    total_iter: int = 400
    im_shape: Sequence[int] = (450, 450, 3)
    w1: float = 1.0  # figure 16
    w2: float = 1.0
    show_step: int = 10
    num_crops: int = 30
    seed: int = 0
    show: Callable[[Figure], object] | None = None
    include_enc: list[torch.Tensor] = field(default_factory=list)
    exclude_enc: Encoding = field(default_factory=list)
    extras_enc: Encoding = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clipmodel, self.taming_model = self.pair.clip, self.pair.vqgan  # figures 10 and 11
        self.random = torch.Generator().manual_seed(self.seed)
        self.random_to_show = torch.Generator()  # apart, so that looking changes no picture
        self.res_img: list[torch.Tensor] = []  # kept here too: an interrupt loses nothing
        self.res_z: list[torch.Tensor] = []

    # -- figure 11

    def generator(self, x: torch.Tensor) -> torch.Tensor:
        """Latent (1, c, h, w) to picture (1, 3, H, W), about [-1, 1]; without the codebook."""
        return self.taming_model.decode(x)

    # -- figure 12

    def Parameters(self) -> Latent:
        """What is optimised: sin(.5 · randn) of (1, c, H/f, W/f), as `.data` or by calling it.

        The report writes f = 16 and c = 256; its comments count 14 × 15 and 14 × 25 cells where
        450 × 450 pixels have 28 × 28.
        """
        f = self.taming_model.downsample_factor
        cells = (max(1, side // f) for side in self.im_shape[:2])
        shape = (self.batch_size, self.taming_model.latent_channels, *cells)
        return Latent(latents.noise(shape, generator=self.random)).to(self.pair.device)

    def init_params(self) -> tuple[Latent, torch.optim.Optimizer]:
        """A new start and its AdamW. The report prints it inside the class, where no one finds
        it."""
        self.random.manual_seed(self.seed)
        params = self.Parameters()
        optimizer = torch.optim.AdamW(
            [{"params": [params.data], "lr": self.learning_rate}], weight_decay=self.wd
        )
        return params, optimizer

    # -- figure 13

    def encodeText(self, text: str) -> torch.Tensor:
        """A prompt's encoding (1, d)."""
        return prompts.encode_prompt(self.clipmodel, text)

    def createEncodings(
        self, include: list[str], exclude: str, extras: str
    ) -> tuple[list[torch.Tensor], Encoding, Encoding]:
        """Encodings of all, [] for an empty exclude or extras; the pair's own background is added
        to include."""
        found = prompts.create_encodings(self.pair, Settings(include, exclude, extras))
        return (
            found.include,
            [] if found.exclude is None else found.exclude,
            [] if found.extras is None else found.extras,
        )

    @property
    def augTransform(self) -> nn.Module:
        """The report's flip, turn and shift of a picture. `create_crops` draws the same, and
        samples each crop straight from the picture."""
        from torchvision import transforms

        return nn.Sequential(
            transforms.RandomHorizontalFlip(), transforms.RandomAffine(30, (0.2, 0.2), fill=0)
        )

    def create_crops(self, img: torch.Tensor, num_crops: int | None = None) -> torch.Tensor:
        """Noisy views (n, 3, s, s) of a picture (1, 3, H, W) in [0, 1]."""
        return self._crops(img, num_crops or self.num_crops, self.random)

    def _crops(self, img: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
        side, noise = self.clipmodel.resolution, self.noise_factor
        return crops.create_crops(img, n, side, noise_factor=noise, generator=generator)

    # -- figure 14

    def optimize_result(self, Params: Latent, prompt: torch.Tensor) -> torch.Tensor:
        """The loss of every crop (n,) for an encoding (1, d) of include."""
        alpha, beta = 1, 0.5  # the importance of include and of exclude

        # image encoding
        out = self.generator(Params())
        out = norm_data(out)
        out = self.create_crops(out)
        image_enc = self.clipmodel.encode_crops(out, self.random)  # normalizes first

        # text encoding: the report weighs extras by w1 too, and adds [] for none, which fails
        final_enc = self.w1 * prompt
        if isinstance(self.extras_enc, torch.Tensor):
            final_enc = final_enc + self.w2 * self.extras_enc
        final_text_include_enc = final_enc / final_enc.norm(dim=-1, keepdim=True)

        # the loss: the report compares with [] for no exclude, which fails
        main_loss = torch.cosine_similarity(final_text_include_enc, image_enc, -1)
        if not isinstance(self.exclude_enc, torch.Tensor):
            return -alpha * main_loss
        penalize_loss = torch.cosine_similarity(self.exclude_enc, image_enc, -1)
        return -alpha * main_loss + beta * penalize_loss

    def optimize(
        self, Params: Latent, optimizer: torch.optim.Optimizer, prompt: torch.Tensor
    ) -> torch.Tensor:
        """One step; its loss before it."""
        loss = self.optimize_result(Params, prompt).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    # -- figure 15

    def showme(self, Params: Latent, show_crop: bool) -> torch.Tensor:
        """The picture (3, H, W) of the latent of now, shown, after a crop of it if asked."""
        with torch.no_grad():
            picture = norm_data(self.generator(Params()))
            if self.show and show_crop:
                self.show(show_from_tensor(self._crops(picture, 1, self.random_to_show)[0]))
        if self.show:
            self.show(show_from_tensor(picture[0]))
        return picture[0].cpu()

    def training_loop(
        self, Params: Latent, optimizer: torch.optim.Optimizer, show_crop: bool = False
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Pictures and latents of every encoding in include_enc, from iteration 80 on.

        Params and optimizer are not used: in the report, too, each prompt gets new ones. A picture
        is that after the step whose loss is logged; a `Run`'s frame shows the one before it.
        """
        self.res_img, self.res_z = [], []
        for prompt in self.include_enc:
            Params, optimizer = self.init_params()
            for iteration in range(self.total_iter):
                loss = self.optimize(Params, optimizer, prompt)
                if iteration >= 80 and iteration % self.show_step == 0:
                    self.res_img.append(self.showme(Params, show_crop))
                    # A copy: the report keeps the parameter itself, so that all are the last one.
                    self.res_z.append(Params().detach().clone())
                    log.info("loss: %f iteration: %d", loss.item(), iteration)
        return self.res_img, self.res_z
