"""The camera proxies' loss, against its definition written out."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reid_model.training.camera_proxies import CameraProxies

#: Person 0 before cameras 0 and 1, person 1 before 0 and 1, person 2 before camera 1 alone; person
#: 3 is of another data set.
IDENTITIES = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
CAMERAS = torch.tensor([0, 0, 1, 0, 1, 1, 2, 3])
SETS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])


def vectors() -> Tensor:
    return F.normalize(torch.randn(8, 5, generator=torch.Generator().manual_seed(1)), dim=1)


def proxies(momentum: float = 0.2) -> CameraProxies:
    return CameraProxies(vectors(), IDENTITIES, CAMERAS, SETS, momentum)


def test_a_proxy_is_the_mean_of_a_person_before_a_camera() -> None:
    made = proxies()
    assert made.people.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert made.sets.tolist() == [0, 0, 0, 0, 0, 1, 1]
    expected = F.normalize(vectors()[0] + vectors()[1], dim=0)
    torch.testing.assert_close(made.vectors[made.rows[0]], expected)
    torch.testing.assert_close(made.vectors[made.rows[2]], vectors()[2])


def test_the_loss_is_its_definition() -> None:
    made, seen = proxies(), vectors()
    likeness = (seen @ made.vectors.T / 0.1).exp()

    def missed(picture: int, right: int, wrong: list[int]) -> float:
        against = sum(float(likeness[picture, row]) for row in wrong)
        hit = float(likeness[picture, right])
        return -math.log(hit / (hit + against))

    expected = (
        missed(0, 1, [2, 3, 4])  # the same person before the other camera, not its own proxy
        + missed(4, 2, [0, 1, 4])
        + missed(5, 4, [0, 1, 2, 3])  # seen by one camera alone
        + missed(6, 6, [])  # nobody else is in that set
    ) / 4
    pictures = torch.tensor([0, 4, 5, 6])
    assert float(made.loss(seen[pictures], pictures, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_being_nearer_to_oneself_elsewhere_costs_less() -> None:
    made = proxies()
    pictures = torch.tensor([0])
    near, far = made.vectors[made.rows[2]], made.vectors[made.rows[3]]
    assert made.loss(near[None], pictures) < made.loss(far[None], pictures)


def test_a_large_loss_has_a_gradient() -> None:
    made = proxies()
    vector = (-made.vectors[made.rows[2]][None]).requires_grad_()
    made.loss(vector, torch.tensor([0]), 0.001).backward()
    assert vector.grad is not None
    assert torch.isfinite(vector.grad).all()
    assert vector.grad.abs().max() > 0


def test_proxies_follow_what_is_seen() -> None:
    made = proxies(momentum=0.5)
    before = made.vectors.clone()
    seen = F.normalize(torch.ones(1, 5), dim=1)
    made.follow(seen, torch.tensor([3]))
    row = int(made.rows[3])
    torch.testing.assert_close(made.vectors[row], F.normalize(before[row] + seen[0], dim=0))
    others = torch.arange(len(before)) != row
    torch.testing.assert_close(made.vectors[others], before[others])
