"""Errors of this package.

RetrievalError
└── EmbedderError
    ├── EmbedderUnavailableError    the model or a package it needs is not there: somebody must act
    ├── EmbedderRefusedError        a remote service refused the request for good (key, model, input)
    ├── EmbedderAnswerError         an answer came that is no usable vector
    ├── EmbedderBusyError           more work is waiting than may wait: try again later
    └── EmbedderClosedError         asked after `close()`
"""

from __future__ import annotations


class RetrievalError(Exception):
    """Anything that goes wrong between a query and its ranked memories."""


class EmbedderError(RetrievalError):
    """A text could not be turned into a vector. Messages never hold the text."""


class EmbedderUnavailableError(EmbedderError):
    """The model, a package it needs or the remote service is not there."""


class EmbedderRefusedError(EmbedderError):
    """The remote service refused the request; trying again would not help."""


class EmbedderAnswerError(EmbedderError):
    """What came back is no usable vector: wrong count, wrong dimension, not finite, or zero."""


class EmbedderBusyError(EmbedderError):
    """The queue of texts to embed is full."""


class EmbedderClosedError(EmbedderError):
    """The embedder was closed."""
