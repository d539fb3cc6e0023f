"""The routes of models, their versions and labels."""

from __future__ import annotations

import falcon

from bundle.params import Params
from runtime.descriptions import Broken, DescribedModel, DescribedVersion, ServedModel
from runtime.http.openapi.operation import Body, Operation, Parameter, json_of
from runtime.http.openapi.parameters import LABEL, VERSION, VERSION_HEADER
from runtime.http.openapi.schemas import And, ListOf, Or, Partial
from runtime.http.resources.labels import LabelledVersion, LabelRequest
from runtime.http.resources.models import DeletedModel, DeletedVersion, DeleteForm
from runtime.publishing.bundle_form import BundleForm
from runtime.publishing.publisher import Published

_PARAMS = Partial(Params, required=("name",), without=("stored",))
_ARCHIVES = ("application/gzip", "application/x-tar", "application/zip")

MODELS = {
    "GET /models": Operation(
        replies={200: json_of(ListOf(Or(And(_PARAMS, ServedModel), Broken)))},
        text="Each object has the keys of params.json, and the state of the model.",
    ),
    "GET /models/{name}": Operation(
        replies={200: json_of(DescribedModel)}, refusals=(404,)
    ),
    "GET /models/{name}/{version}": Operation(
        replies={200: json_of(DescribedVersion)}, refusals=(404,)
    ),
    "DELETE /models/{name}/{version}": Operation(
        replies={200: json_of(DeletedVersion)},
        refusals=(404, 409),
        text="A version to which a label points is not deleted.",
    ),
    "GET /models/{name}/{version}/bundle": Operation(
        replies={200: {"application/gzip": bytes}}, refusals=(404,)
    ),
    "GET /models/{name}/{version}/report": Operation(
        replies={200: {"text/html": str}}, refusals=(404,)
    ),
    "GET /models/{name}/labels": Operation(
        replies={200: json_of(dict[str, int])}, refusals=(404,)
    ),
    "PUT /models/{name}/labels/{label}": Operation(
        replies={200: json_of(LabelledVersion)},
        refusals=(404, 409, 415, 422),
        body=Body(
            json_of(LabelRequest),
            {falcon.MEDIA_JSON: {"version": {"version": 1}}},
            is_required=False,
        ),
        query=(VERSION,),
        text="The version stands in the body or in the query. It is loaded first.",
    ),
    "DELETE /models/{name}/labels/{label}": Operation(
        replies={200: json_of(LabelledVersion)}, refusals=(404,)
    ),
    "POST /upload": Operation(
        replies={200: json_of(Published)},
        refusals=(409, 415, 422),
        body=Body(
            {
                **dict.fromkeys(_ARCHIVES, bytes),
                "application/octet-stream": bytes,
                falcon.MEDIA_MULTIPART: BundleForm,
            }
        ),
        query=(
            Parameter(
                "name",
                "The name of a model that comes without params.json.",
                {"type": "string"},
            ),
        ),
        headers=(
            Parameter(
                "Content-Encoding",
                "The encoding of the archive.",
                {"enum": ["gzip", "base64", "identity"]},
            ),
        ),
        text="The content of an archive shows its kind, and its content type does not"
        " matter.",
    ),
    "GET /params": Operation(replies={}),
    "POST /params": Operation(
        replies={200: json_of(Published)},
        refusals=(404, 415, 422),
        body=Body(
            json_of(_PARAMS),
            {
                falcon.MEDIA_JSON: {
                    "description": {"name": "linear", "description": "new"}
                }
            },
        ),
        text="The other keys are those of params.json, with their new values. `version`"
        " names the version to start from.",
    ),
    "GET /params/{name}": Operation(
        replies={200: json_of(_PARAMS)}, refusals=(404, 422), query=(VERSION, LABEL)
    ),
    "DELETE /delete": Operation(
        replies={200: json_of(DeletedModel)},
        refusals=(404, 415),
        body=Body({falcon.MEDIA_MULTIPART: DeleteForm}),
    ),
    "DELETE /delete/{name}": Operation(
        replies={200: json_of(DeletedModel)}, refusals=(404,)
    ),
    "GET /download/{name}/{file}": Operation(
        replies={200: {"application/octet-stream": bytes, "text/plain": str}},
        refusals=(404,),
        query=(VERSION, LABEL),
        sends=(VERSION_HEADER,),
        places={"file": "params.json"},
    ),
}
