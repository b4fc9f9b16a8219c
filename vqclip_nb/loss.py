"""The objective in the report's terms (figure 14)."""

from __future__ import annotations

import torch


def report_loss(
    image_enc: torch.Tensor,
    include_enc: torch.Tensor,
    extras_enc: torch.Tensor | None = None,
    exclude_enc: torch.Tensor | None = None,
    *,
    w1: float = 1.0,
    w2: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss and similarity of crops (n, d) under encodings (1, d), both averaged over the crops.

    loss = -alpha · cos(w1·include + w2·extras, crop) + beta · cos(exclude, crop). Without extras or
    exclude their terms drop out. The report prints w1 for extras too; w2 is what its text means.
    """
    wanted = w1 * include_enc
    if extras_enc is not None:
        wanted = wanted + w2 * extras_enc
    similarity = torch.cosine_similarity(wanted, image_enc, -1).mean()
    loss = -alpha * similarity
    if exclude_enc is not None:
        loss = loss + beta * torch.cosine_similarity(exclude_enc, image_enc, -1).mean()
    return loss, similarity
