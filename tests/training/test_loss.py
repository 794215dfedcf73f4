"""Losses use known pixels only; gaps between buildings weigh more."""

from __future__ import annotations

import pytest
import torch

from training.building_presence import BuildingPresenceHead, building_presence_loss
from training.loss import distillation_loss, distillation_mask, gap_mask, masked_loss
from training.sources.samples import UNKNOWN


def test_distillation_skips_labelled_pixels() -> None:
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    targets = torch.full((1, 2, 4, 4), UNKNOWN, dtype=torch.uint8)
    targets[0, 0, :2] = 0
    distillation_loss(logits, torch.full((1, 2, 4, 4), 0.9), targets == UNKNOWN).backward()
    assert logits.grad is not None
    assert not logits.grad[0, 0, :2].any()
    assert (logits.grad[0, 0, 2:] < 0).all(), "elsewhere logits move towards the teacher's"


def test_a_teacher_is_followed_only_where_no_label_contradicts_it() -> None:
    targets = torch.tensor([0, 1, UNKNOWN, 0, 1], dtype=torch.uint8).reshape(1, 1, 1, 5).expand(1, 2, 1, 5)
    teacher = torch.tensor([0.9, 0.9, 0.9, 0.1, 0.1]).reshape(1, 1, 1, 5).expand(1, 2, 1, 5)
    distilled = {
        where: distillation_mask(targets, teacher, where)[0, 0, 0].tolist()
        for where in ("everywhere", "unanswered", "uncontradicted")
    }
    assert distilled == {
        "everywhere": [True] * 5,
        "unanswered": [False, False, True, False, False],
        "uncontradicted": [False, True, True, True, False],
    }


def test_gaps_are_the_ground_between_buildings() -> None:
    target = torch.zeros(1, 32, 32, dtype=torch.uint8)
    target[0, 8:24, 4:12] = target[0, 8:24, 16:24] = 1
    expected = torch.zeros(1, 32, 32)
    expected[0, 8:24, 12:16] = 1
    assert torch.equal(gap_mask(target), expected)
    far = torch.zeros(1, 32, 32, dtype=torch.uint8)
    far[0, 8:24, 2:8] = far[0, 8:24, 20:26] = 1
    assert not gap_mask(far).any()


def test_a_missed_gap_costs_more_than_the_same_error_elsewhere() -> None:
    target = torch.zeros(1, 32, 32, dtype=torch.uint8)
    target[0, 8:24, 4:12] = target[0, 8:24, 16:24] = 1
    correct = (target.float() - 0.5) * 8
    gap_filled, outside_filled = correct.clone(), correct.clone()
    gap_filled[0, 8:24, 12:16] = 4.0
    outside_filled[0, 8:24, 24:28] = 4.0
    weight = 4.0 * gap_mask(target)
    assert masked_loss(gap_filled, target, weight) > 2 * masked_loss(outside_filled, target, weight)
    assert masked_loss(gap_filled, target) == pytest.approx(float(masked_loss(outside_filled, target)))


def test_the_auxiliary_loss_uses_known_pixels_only() -> None:
    torch.manual_seed(0)
    head = BuildingPresenceHead((4, 4, 4, 4))
    features = [torch.randn(2, 4, 32 // 2**level, 32 // 2**level, requires_grad=True) for level in range(4)]
    buildings = torch.full((2, 64, 64), UNKNOWN, dtype=torch.uint8)
    buildings[0, :16] = 1
    building_presence_loss(head, features, buildings).backward()
    finest = features[1].grad
    assert finest is not None
    assert finest[0, :, :4].abs().sum() > 0
    # the 3×3 convolution reaches one cell further
    assert finest[0, :, 6:].abs().sum() == 0
    assert finest[1].abs().sum() == 0
