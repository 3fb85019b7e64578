"""Questions embedded in batches by torch, on a device, in the space of a packaged model.

The weights are those of the ONNX file, its whole numbers times their scales, so that vectors lie in the same space as
those of documents that `onnx` embedded on the processor. They are not the same to the last digit: `onnx` also rounds
what goes between the layers to whole numbers (`tests/contract/retrieval/test_batched_questions_contract.py` has by how
much they differ), and in half precision a question's vector depends a little on the batch that it is in.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from retrieval.embedders._text import encodable
from retrieval.embedders._vectors import unit_rows
from retrieval.embedders.bert import Bert
from retrieval.embedders.onnx import OnnxModel, Pooling
from retrieval.embedders.recorded import Recorded
from retrieval.errors import EmbedderUnavailableError


class BatchedQuestions:
    """A packaged BERT model in torch. Not thread-safe: one caller has the device."""

    def __init__(self, model: OnnxModel, *, device: str) -> None:
        """Loads the model.

        Args:
            model: files and use.
            device: of torch; on `cuda` it runs in half precision.

        Raises:
            EmbedderUnavailableError: torch or onnx is not installed (the extra `gpu`), a file cannot be read, or the
                model is none that this can run.
        """
        self._torch = _import("torch")
        self._model = model
        is_recorded = device.startswith("cuda")
        try:
            self._tokenizer = Tokenizer.from_file(str(model.tokenizer_file))
            self._bert = Bert(self._torch, _weights(model), device, half=is_recorded)
        except EmbedderUnavailableError:
            raise
        except Exception as error:  # what the libraries raise for an unreadable file shares no base class
            raise EmbedderUnavailableError(f"{model.name} cannot be loaded into torch: {error}") from error
        self._tokenizer.enable_truncation(model.window_tokens)
        self._tokenizer.enable_padding(pad_to_multiple_of=8)
        self._embed = Recorded(self._torch, self._pooled, device) if is_recorded else self._at_once

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of questions, float32 `[n, dim]`."""
        encodings = self._tokenizer.encode_batch_fast([self._model.query_prefix + encodable(text) for text in texts])
        ids = np.array([one.ids for one in encodings], np.int64)
        mask = np.array([one.attention_mask for one in encodings], np.bool_)
        return unit_rows(self._embed(ids, mask), self._model.dim)

    def _pooled(self, ids: Any, mask: Any) -> Any:
        """One vector for each row, float32, on the device."""
        states = self._bert(ids, mask).float()
        if self._model.pooling is Pooling.CLS:
            return states[:, 0]
        return (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)

    def _at_once(self, ids: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The same of arrays, without a record."""
        with self._torch.inference_mode():
            pooled: NDArray[np.float32] = self._pooled(
                self._torch.from_numpy(ids), self._torch.from_numpy(mask)
            ).numpy()
        return pooled


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EmbedderUnavailableError(f"questions on a device need {name}: install memsvc[gpu]") from error


def _weights(model: OnnxModel) -> dict[str, NDArray[np.float32]]:
    """The model's parameters by the names that BERT's authors gave them."""
    onnx = _import("onnx")
    graph = onnx.load(str(model.model_file)).graph
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}

    def value(name: str) -> NDArray[np.float32]:
        """A parameter, its whole numbers times their scale if it is stored so."""
        plain = name.removesuffix("_quantized")
        if plain == name:
            return np.asarray(stored[name], np.float32)
        zero, scale = stored[f"{plain}_zero_point"], stored[f"{plain}_scale"]
        whole = np.asarray(stored[name], np.float32) - np.asarray(zero, np.float32)
        return np.asarray(whole * scale, np.float32)

    found = {
        name.removesuffix("_quantized"): value(name)
        for name in stored
        if name.removesuffix("_quantized").endswith((".weight", ".bias"))
    }
    for node in graph.node:
        if node.op_type in ("MatMul", "MatMulInteger") and node.input[1] in stored:
            owner = node.name.rpartition("/")[0].strip("/").replace("/", ".")
            found[f"{owner}.weight"] = value(node.input[1]).T
    return found
