"""Hooks for what the OpenAPI document cannot express: how to log in, and which e-mail domains are reserved.

With EMAIL and PASSWORD in the environment, all requests are sent as that account. It logs in again after a request has
ended its session. Its own id is never used as a path parameter, so that no request deletes or demotes it.
"""

import json
import os
import urllib.error
import urllib.request

import schemathesis
from hypothesis import strategies

RESERVED = ("arpa", "invalid", "local", "localhost", "onion", "test")

schemathesis.openapi.format(
    "email", strategies.emails().filter(lambda address: not address.lower().endswith(RESERVED))
)

EMAIL, PASSWORD = os.environ.get("EMAIL"), os.environ.get("PASSWORD")


def ask(base_url, path, token=None, body=None):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(base_url.rstrip("/") + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


class Login:
    token = None
    own_id = None

    def get(self, case, context):
        base_url = case.operation.base_url
        try:
            assert Login.token
            ask(base_url, "/users/me", Login.token)
        except (AssertionError, urllib.error.HTTPError):
            body = {"email": EMAIL, "password": PASSWORD}
            Login.token = ask(base_url, "/auth/login", body=body)["access_token"]
            Login.own_id = ask(base_url, "/users/me", Login.token)["id"]
        return Login.token

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


if EMAIL:
    schemathesis.auth(refresh_interval=None)(Login)


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    if Login.own_id is not None and str(parameters.get("id")) == str(Login.own_id):
        parameters["id"] = Login.own_id + 1
