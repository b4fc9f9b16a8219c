"""What a step keeps in memory for its gradient, and how it is made to fit."""

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from .models.pair import Pair


class Saving(NamedTuple):
    """lot: crops that CLIP encodes at a time. again: whether the decoder keeps the inputs of its
    blocks alone and computes the rest once more for the gradient."""

    lot: int
    again: bool

    def __str__(self) -> str:
        lot, again = self
        words = f"{lot} crops are judged at a time" if lot > 1 else "crops are judged one at a time"
        return words + (", the decoder computes twice" if again else "")


SAVINGS = (Saving(32, False), Saving(8, False), Saving(8, True), Saving(1, True))  # fast to small
LOT = 2**28  # bytes of a lot of crops; on a CPU more is no faster
SHARE = 0.8  # of the free memory that may be kept; the rest is for what is soon let go


def free_bytes(device: torch.device) -> float:
    """Memory that a step may take; infinity where the system does not tell."""
    if device.type == "cuda" and torch.cuda.is_available():
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    with contextlib.suppress(OSError, ValueError, IndexError):
        if device.type == "cpu":
            text = Path("/proc/meminfo").read_text()
            return 1024 * float(text.partition("MemAvailable:")[2].split()[0])
    return math.inf


def kept_bytes(compute: Callable[[int], torch.Tensor]) -> int:
    """Bytes that `compute`, given how many, keeps for the gradient of one more."""
    kept: list[dict[int, int]] = [{}, {}]
    for count, storages in enumerate(kept, 1):

        def pack(tensor: torch.Tensor, storages: dict[int, int] = storages) -> torch.Tensor:
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            compute(count)
    return sum(kept[1].values()) - sum(kept[0].values())


@torch.enable_grad()
def choose_saving(pair: Pair, size: tuple[int, int], crops: int, dtype: torch.dtype) -> Saving:
    """The first of `SAVINGS` whose step, of a picture of `size` (height, width), should fit into
    the memory that is free."""
    free = free_bytes(pair.device)
    if math.isinf(free) and pair.device.type != "cpu":
        return SAVINGS[0]
    vqgan, side, generator = pair.vqgan, pair.clip.resolution, torch.Generator()

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, device=pair.device, requires_grad=True)

    four = kept_bytes(lambda n: vqgan.decode(zeros(n, vqgan.latent_channels, 2, 2), dtype=dtype))
    decoder = four / 4 * math.prod(size) / vqgan.downsample_factor**2
    view = kept_bytes(
        lambda n: pair.clip.encode_crops(zeros(n, 3, side, side), generator, dtype=dtype)
    )
    most = LOT if pair.device.type == "cpu" else math.inf

    def fits(lot: int) -> bool:
        judged = view * min(lot, crops)
        return decoder + judged < SHARE * free and (judged <= most or lot <= 8)

    return next(saving for saving in SAVINGS if saving.again or fits(saving.lot))
