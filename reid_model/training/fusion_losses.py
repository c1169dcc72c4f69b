"""What FusionSegReID learns by: words against pictures, masks, and parts of the body.

B is the batch size, D the length of a vector. All are scalars, computed in float32.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

#: Of the mask's loss, LISA's (Lai et al., CVPR 2024).
_BCE, _DICE = 2.0, 0.5
_TEMPERATURE = 0.02
_TINY = 1e-8


def similarity_distribution_matching(
    pictures: Tensor, texts: Tensor, labels: Tensor, temperature: float = _TEMPERATURE
) -> Tensor:
    """SDM (IRRA, Jiang and Ye, CVPR 2023): the divergence of whom a vector is like from who it is.

    Unit vectors ``(B, D)`` of pictures and of texts, and whom both show, ``labels (B,)``. Both
    directions, summed.
    """
    cosines = pictures.float() @ texts.float().T / temperature  # (B, B)
    same = (labels[:, None] == labels[None, :]).float()
    return _divergence(cosines, same) + _divergence(cosines.T, same.T)


def mask_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy and Dice of ``logits (B, 1, H, W)`` against ``masks (B, 1, H, W)``, 0 to 1.

    A pixel whose mask is negative is not known, and does not count.
    """
    known = (masks >= 0).float()
    target = masks.clamp(min=0)
    entropy = F.binary_cross_entropy_with_logits(logits.float(), target, known)
    return _BCE * entropy + _DICE * _dice(logits.float().sigmoid() * known, target)


def part_loss(logits: Tensor, parts: Tensor, smoothing: float = 0.1) -> Tensor:
    """Cross entropy of ``logits (B, 5, H, W)`` against the part of each pixel ``(B, H, W)`` int64.

    0 is the background, negative not known. BPBreID (Somers et al., WACV 2023).
    """
    if not (parts >= 0).any():
        return logits.float().sum() * 0.0
    return F.cross_entropy(logits.float(), parts, ignore_index=-1, label_smoothing=smoothing)


def intersection_over_union(found: Tensor, masks: Tensor) -> tuple[float, float]:
    """gIoU, the mean over pictures, and cIoU, all intersections over all unions, of ``(B, H, W)``.

    Two empty masks are the same.
    """
    both = (found & masks).sum(dim=(1, 2)).float()
    either = (found | masks).sum(dim=(1, 2)).float()
    each = torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both))
    return float(each.mean()), float(both.sum() / either.sum().clamp(min=1))


def _divergence(logits: Tensor, same: Tensor) -> Tensor:
    log_found = F.log_softmax(logits, dim=1)
    wanted = same / same.sum(dim=1, keepdim=True)
    return (log_found.exp() * (log_found - (wanted + _TINY).log())).sum(dim=1).mean()


def _dice(found: Tensor, masks: Tensor) -> Tensor:
    both = (found * masks).sum(dim=(1, 2, 3))
    sizes = found.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3))
    return (1 - (2 * both + 1) / (sizes + 1)).mean()
