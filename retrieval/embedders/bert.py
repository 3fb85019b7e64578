"""BERT in torch, forward only, small enough to be recorded whole on a device.

The blocks of Devlin et al. 2019 (arXiv:1810.04805) as the models that are packaged have them: no pooler, one type of
tokens, layers normalised after each residual sum. Nothing in it waits for the device or looks at values, so that a
graph can record it, which library implementations do not promise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEAD_WIDTH = 32
"""Of the small BERT models: 384 numbers in twelve heads."""
_LAYER = re.compile(r"^encoder\.layer\.(\d+)\.")
_EPSILON = 1e-12

Weights = Mapping[str, NDArray[np.float32]]
"""Parameters by the names that BERT's authors gave them; matrices are `[out, in]`."""


class Bert:
    """The model with its parameters on a device."""

    def __init__(self, torch: Any, weights: Weights, device: str, *, half: bool) -> None:
        """Sends the parameters.

        Args:
            torch: the library.
            weights: all parameters.
            device: where.
            half: in half precision.

        Raises:
            KeyError: a parameter is missing.
        """
        self._torch = torch
        dtype = torch.float16 if half else torch.float32

        def there(*names: str) -> Any:
            together = np.concatenate([weights[name] for name in names])
            return torch.from_numpy(np.ascontiguousarray(together)).to(device, dtype)

        def linear(*names: str) -> tuple[Any, Any]:
            return there(*(f"{name}.weight" for name in names)), there(*(f"{name}.bias" for name in names))

        self._words = there("embeddings.word_embeddings.weight")
        # Every token is of the first type.
        types = there("embeddings.token_type_embeddings.weight")[0]
        self._places = there("embeddings.position_embeddings.weight") + types
        self._first_norm = linear("embeddings.LayerNorm")
        layers = 1 + max(int(found[1]) for name in weights if (found := _LAYER.match(name)))
        self._layers = [
            (
                linear(*(f"encoder.layer.{i}.attention.self.{part}" for part in ("query", "key", "value"))),
                linear(f"encoder.layer.{i}.attention.output.dense"),
                linear(f"encoder.layer.{i}.attention.output.LayerNorm"),
                linear(f"encoder.layer.{i}.intermediate.dense"),
                linear(f"encoder.layer.{i}.output.dense"),
                linear(f"encoder.layer.{i}.output.LayerNorm"),
            )
            for i in range(layers)
        ]

    @property
    def dim(self) -> int:
        """Numbers of a state."""
        return int(self._words.shape[1])

    def __call__(self, ids: Any, mask: Any) -> Any:
        """States of the last layer, `[n, length, dim]`.

        Args:
            ids: int64 `[n, length]`, tokens.
            mask: bool `[n, length]`, which of them are there; at least one in each row.
        """
        functional = self._torch.nn.functional
        n, length = ids.shape
        dim = self.dim
        states = self._normal(self._words[ids] + self._places[:length], self._first_norm)
        seen = mask[:, None, None, :]
        for attended, joined, joined_norm, widened, narrowed, narrowed_norm in self._layers:
            parts = functional.linear(states, *attended).view(n, length, 3, dim // _HEAD_WIDTH, _HEAD_WIDTH)
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            found = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
            found = functional.linear(found.transpose(1, 2).reshape(n, length, dim), *joined)
            states = self._normal(states + found, joined_norm)
            found = functional.linear(functional.gelu(functional.linear(states, *widened)), *narrowed)
            states = self._normal(states + found, narrowed_norm)
        return states

    def _normal(self, states: Any, of: tuple[Any, Any]) -> Any:
        return self._torch.nn.functional.layer_norm(states, (states.shape[-1],), *of, _EPSILON)
