import torch

from sound2scene.models.heads import ProjectionHead


@torch.no_grad()
def test_rows_are_unit():
    z_BD = ProjectionHead(32, 16, 8)(torch.randn(5, 32))
    assert z_BD.shape == (5, 8)
    assert torch.allclose(z_BD.norm(dim=1), torch.ones(5), atol=1e-6)


@torch.no_grad()
def test_layers_stand_in_swavs_order():
    head = ProjectionHead(6, 5, 4).eval()
    z_BD = torch.randn(3, 6)
    layers = head.layers
    hidden_BD = torch.relu(layers[1](layers[0](z_BD)))
    assert torch.allclose(head(z_BD), torch.nn.functional.normalize(layers[3](hidden_BD), dim=1))
    assert head.layers[3].bias is not None
