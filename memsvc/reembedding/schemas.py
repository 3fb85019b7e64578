"""Embedding spaces of a namespace on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memsvc.http.schemas import ApiModel, Bytes
from memsvc.memories.schemas import NamespacePath
from memsvc.namespaces.endpoints import LastRunOut

ActionName = Literal["start", "switch", "back", "drop"]
BesideName = Literal["growing", "complete", "former", "leaving"]


class EmbeddingQuery(ApiModel):
    """Whose embedding spaces."""

    namespace: NamespacePath


class EmbeddingIn(ApiModel):
    """What to do with the embedding spaces of a namespace."""

    namespace: NamespacePath
    action: ActionName = Field(
        description="`start` embeds the namespace for another model beside, `switch` has recalls search that once it "
        "is complete, `back` has them search the one before, `drop` deletes the vectors that are kept beside."
    )
    model: Annotated[str, Bytes(256)] | None = Field(
        None, description="For `start`: to which of the server's models; default: the other one."
    )
    switch_when_complete: bool | None = Field(
        None, description="For `start`: whether the namespace switches by itself; default: true."
    )


class SpaceOut(ApiModel):
    """The embedding space that recalls search."""

    model: str
    dim: int


class BesideOut(ApiModel):
    """The embedding space that is kept beside.

    `growing`: the texts that were there are being embedded; `complete`: all are; `former`: recalls searched it before;
    `leaving`: its vectors are being deleted. `embedded` of the namespace's `texts`, those of earlier versions included,
    have vectors in it.
    """

    model: str
    dim: int
    state: BesideName
    texts: int
    embedded: int
    switches_when_complete: bool


class EmbeddingOut(ApiModel):
    """The embedding spaces of a namespace, the models of the server, and the newest run of the job `reembed`."""

    namespace: str
    active: SpaceOut
    beside: BesideOut | None
    models: list[str]
    last_run: LastRunOut | None
