"""Network: symmetry in time, receptive field, training on partly labelled samples, published encoder weights."""

from __future__ import annotations

import pytest
import torch

from errors import SettingsError
from model.encoders import InvertedEncoder
from model.network import ChangeNetwork
from model.registry import LAYOUTS, find_layout
from training.loss import change_loss
from training.sources.samples import UNKNOWN


@pytest.fixture(params=sorted(LAYOUTS))
def network(request: pytest.FixtureRequest) -> ChangeNetwork:
    torch.manual_seed(3)
    network = ChangeNetwork(find_layout(request.param))
    for name, tensor in network.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
    return network.eval()


def _pair(size: int = 96, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(1, 3, size, size), torch.randn(1, 3, size, size)


def test_swapping_the_dates_keeps_the_change_and_inverts_the_direction(network: ChangeNetwork) -> None:
    a, b = _pair()
    with torch.inference_mode():
        forward, backward = network(a, b), network(b, a)
    assert torch.allclose(forward.change, backward.change, atol=1e-5)
    assert torch.allclose(forward.direction, -backward.direction, atol=1e-5)
    assert forward.direction.abs().max() > 1e-3, "a direction of zero everywhere would be antisymmetric too"


def test_symmetry_holds_for_arbitrary_weights(network: ChangeNetwork) -> None:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    a, b = _pair(seed=5)
    with torch.inference_mode():
        forward, backward = network(a, b), network(b, a)
    scale = forward.change.abs().max()
    assert (forward.change - backward.change).abs().max() < 1e-5 * scale
    assert (forward.direction + backward.direction).abs().max() < 1e-5 * forward.direction.abs().max()


def test_outputs_have_one_value_per_pixel_and_channel(network: ChangeNetwork) -> None:
    a, b = _pair(64)
    with torch.inference_mode():
        out = network(a, b)
    assert out.change.shape == (1, 2, 64, 64)
    assert out.direction.shape == (1, 1, 64, 64)


@pytest.mark.parametrize("offset", [0, 7, 15])
def test_the_receptive_field_lies_within_the_halo(network: ChangeNetwork, offset: int) -> None:
    halo = network.layout.halo
    side = 2 * halo + 5 * network.layout.stride
    side -= side % network.layout.stride
    centre = side // 2 // network.layout.stride * network.layout.stride + offset
    image = torch.zeros(1, 3, side, side, requires_grad=True)
    network(image, torch.ones_like(image)).change[0, :, centre, centre].sum().backward()
    assert image.grad is not None
    rows = image.grad[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    radius = max(centre - int(rows.min()), int(rows.max()) - centre)
    assert radius <= halo
    assert radius > halo - 2 * network.layout.stride, (
        "the halo must not be much wider than the receptive field: reading it costs time"
    )


def test_an_unknown_layout_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="fast, accurate"):
        find_layout("huge")


def test_a_sample_without_ground_labels_does_not_train_the_ground_output() -> None:
    network = ChangeNetwork(find_layout("fast")).train()
    a, b = _pair(64)
    labels = torch.ones(1, 2, 64, 64, dtype=torch.uint8)
    labels[:, 1] = UNKNOWN
    change_loss(network(a, b), labels, torch.zeros(1, 64, 64)).backward()
    gradient = network.head.weight.grad
    assert gradient is not None
    assert gradient[:4].abs().max() > 0, "building is labelled"
    assert gradient[4:].abs().max() == 0, "ground is not labelled"


def test_loading_published_weights_folds_batch_normalisation() -> None:
    """The stem, computed as convolution and batch normalisation, equals the folded convolution."""
    torch.manual_seed(1)
    encoder = InvertedEncoder()
    published: dict[str, torch.Tensor] = {}

    def publish(conv: torch.nn.Conv2d, weight: str, norm: str) -> None:
        published[f"{weight}.weight"] = torch.randn_like(conv.weight)
        for name in ("weight", "bias", "running_mean"):
            published[f"{norm}.{name}"] = torch.randn(conv.out_channels)
        published[f"{norm}.running_var"] = torch.rand(conv.out_channels) + 0.5

    publish(encoder.stem, "_conv_stem", "_bn0")
    for number, block in enumerate(b for stage in encoder.stages for b in stage.children()):
        if block.expand is not None:
            publish(block.expand, f"_blocks.{number}._expand_conv", f"_blocks.{number}._bn0")
        publish(block.depthwise, f"_blocks.{number}._depthwise_conv", f"_blocks.{number}._bn1")
        publish(block.project, f"_blocks.{number}._project_conv", f"_blocks.{number}._bn2")
    encoder.load_imagenet(published)
    x = torch.randn(1, 3, 32, 32)
    padded = torch.nn.functional.pad(x, (0, 1, 0, 1))
    plain = torch.nn.functional.conv2d(padded, published["_conv_stem.weight"], stride=2)
    normed = torch.nn.functional.batch_norm(
        plain,
        published["_bn0.running_mean"],
        published["_bn0.running_var"],
        published["_bn0.weight"],
        published["_bn0.bias"],
        eps=1e-3,
    )
    assert torch.allclose(encoder.stem(x), normed, atol=1e-4)


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(KeyError):
        InvertedEncoder().load_imagenet({"conv1.weight": torch.zeros(1)})
