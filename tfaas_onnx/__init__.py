"""A client of the service, for Python.

>>> from tfaas_onnx import Client
>>> with Client(url) as client:
...     [model.name for model in client.models()]
['linear']

The package needs httpx and numpy, and nothing else of this project.
"""

from tfaas_onnx.async_client import AsyncClient, AsyncDownload
from tfaas_onnx.client import Client, Download
from tfaas_onnx.errors import (
    ClientError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotAService,
    NotFound,
    Refused,
    ServerError,
    Timeout,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
    WrongArgument,
)
from tfaas_onnx.exchange import Body
from tfaas_onnx.models import Kept, Model, ModelSummary, ModelVersion, Published
from tfaas_onnx.predictions import ImagePrediction, Outputs

__all__ = [
    "AsyncClient",
    "AsyncDownload",
    "Body",
    "Client",
    "ClientError",
    "Conflict",
    "Download",
    "Forbidden",
    "ImagePrediction",
    "InvalidInput",
    "Kept",
    "Model",
    "ModelSummary",
    "ModelVersion",
    "NotAService",
    "NotFound",
    "Outputs",
    "Published",
    "Refused",
    "ServerError",
    "Timeout",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "WrongArgument",
]
