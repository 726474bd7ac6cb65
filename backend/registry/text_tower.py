"""An encoder of texts out of a transformers folder: the mean of its tokens, of length 1."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from backend.errors import BadRequest

MOST_TOKENS = 256


class TextTower(nn.Module):
    """Token numbers and mask ``(b, t)`` to unit vectors ``(b, d)``.

    Attributes:
        most_tokens: of a text that are read.

    Raises:
        BadRequest: on construction, if transformers cannot open the folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from transformers import AutoModel

        try:
            model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise BadRequest(
                f"{folder.name} cannot be opened: {str(error).splitlines()[0][:160]}",
                "It must hold config.json, model.safetensors and the tokenizer.",
            ) from error
        self.model: nn.Module = model.eval()
        places = int(getattr(model.config, "max_position_embeddings", MOST_TOKENS))
        self.most_tokens = min(MOST_TOKENS, places)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        told = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        kept = mask[..., None].to(told.dtype)
        mean = (told * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
        return functional.normalize(mean, dim=1)
