"""A network that was tuned comes back as it was, whatever happened in between."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from written_out import WrittenOut

from spin_bench.diffusion.finetuning import finetuning


class _Shared(nn.Module):
    """Tied weights, buffers that a pass writes, one weight that is already being trained."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.requires_grad_(False).eval()
        self.first.bias.requires_grad_().grad = torch.ones(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.norm(self.first(x)))


@pytest.mark.parametrize("dtype", [None, torch.float64])
@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_tuning_leaves_no_trace(error: type[BaseException] | None, dtype: torch.dtype | None):
    torch.manual_seed(0)
    network = _Shared()
    originals = dict([*network.named_parameters(remove_duplicate=False), *network.named_buffers()])
    values = {name: tensor.clone() for name, tensor in originals.items()}
    flags = {name: tensor.requires_grad for name, tensor in originals.items()}

    def tune_a_little() -> None:
        with finetuning(network, dtype):
            assert network.first.weight is network.second.weight
            optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
            network.train()
            network(torch.randn(4, 3).to(dtype or torch.float32)).pow(2).sum().backward()
            optimizer.step()
            assert all((p != values[name]).any() and p.dtype == (dtype or torch.float32)
                       for name, p in network.named_parameters() if name != "first.bias")  # fmt: skip
            assert network.norm.num_batches_tracked == 1
            assert network.norm.num_batches_tracked.dtype == torch.int64
            network.to(torch.bfloat16)
            if error is not None:
                raise error

    if error is None:
        tune_a_little()
    else:
        with pytest.raises(error):
            tune_a_little()
    after = dict([*network.named_parameters(remove_duplicate=False), *network.named_buffers()])
    assert list(after) == list(originals)
    for name, tensor in after.items():
        assert tensor is originals[name]
        assert torch.equal(tensor, values[name])
        assert tensor.requires_grad == flags[name]
    assert not any(part.training for part in network.modules())
    assert torch.equal(network.first.bias.grad, torch.ones(3))
    assert network.first.weight.grad is None


def test_tuning_puts_attention_processors_back(small_unet: UNet2DConditionModel):
    before = small_unet.attn_processors
    with pytest.raises(KeyboardInterrupt), finetuning(small_unet):
        small_unet.set_attn_processor(WrittenOut(torch.ones(8, 8)))
        raise KeyboardInterrupt
    assert small_unet.attn_processors == before
