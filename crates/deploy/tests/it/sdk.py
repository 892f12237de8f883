"""The recorded calls, made by the public client: the check of the stub itself.

Run by the test `the_public_client_works_against_the_stub` with the address of a
stub; fails by exception.
"""

import sys
import time

from seldon_deploy_sdk import (
    ApiClient,
    Configuration,
    DriftDetectorApi,
    OutlierDetectorApi,
    SeldonDeploymentsApi,
)
from seldon_deploy_sdk.auth import OIDCAuthenticator
from seldon_deploy_sdk.rest import ApiException

NAMESPACE = "seldon"
NAME = "dogcat-deploy"


def deployment(version):
    container = NAME + "-container"
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "name": NAME,
            "predictors": [
                {
                    "name": "default",
                    "replicas": 1,
                    "traffic": 100,
                    "graph": {
                        "name": container,
                        "type": "MODEL",
                        "parameters": [
                            {"name": "model_version", "type": "STRING", "value": version}
                        ],
                    },
                    "componentSpecs": [
                        {
                            "spec": {
                                "containers": [
                                    {
                                        "name": container,
                                        "image": "registry.example/serve:0.0.7",
                                        "env": [{"name": "VERSION", "value": version}],
                                    }
                                ]
                            }
                        }
                    ],
                }
            ],
        },
    }


def detector(kind):
    return {
        "name": NAME,
        "config": {
            "deployment": {
                "model_name": "2c0d5",
                "event_type": "io.seldon.serving.inference." + kind,
                "protocol": "seldon.http",
                "http_port": "8080",
                "user_permission": 8888,
            },
            "basic": {"drift_batch_size": "4", "storage_uri": "gs://bucket/" + kind},
        },
    }


def refused(call, *codes):
    try:
        call()
    except ApiException as error:
        assert error.status in codes, error
    else:
        raise AssertionError("the call was not refused")


def until_available(api):
    for _ in range(200):
        read = api.read_seldon_deployment(NAME, NAMESPACE)
        if read.status and read.status.state == "Available":
            return read
        time.sleep(0.05)
    raise AssertionError("it never was Available")


def detectors(api, kind):
    def call(verb, *arguments):
        method = getattr(api, f"{verb}_{kind}_detector_seldon_deployment")
        return method(NAME, NAMESPACE, *arguments)

    refused(lambda: call("delete", NAME), 500)
    call("create", detector(kind))
    assert len(call("list")) == 1
    refused(lambda: call("create", detector(kind)), 500)
    call("delete", NAME)
    assert len(call("list")) == 0


def main(url):
    config = Configuration()
    config.host = url + "/seldon-deploy/api/v1alpha1"
    config.oidc_server = url + "/auth/realms/deploy-realm"
    config.oidc_client_id = "sd-api"
    config.oidc_client_secret = "sd-api-secret"
    config.auth_method = "client_credentials"
    auth = OIDCAuthenticator(config)
    config.id_token = auth.authenticate()
    client = ApiClient(configuration=config, authenticator=auth)
    api = SeldonDeploymentsApi(client)

    refused(lambda: api.read_seldon_deployment(NAME, NAMESPACE), 400, 404)
    refused(lambda: api.delete_seldon_deployment(NAME, NAMESPACE), 400, 404)
    api.create_seldon_deployment(NAMESPACE, deployment("1"))
    refused(lambda: api.create_seldon_deployment(NAMESPACE, deployment("1")), 400)
    read = until_available(api)
    assert read.metadata.name == NAME
    assert len(api.list_seldon_deployments(NAMESPACE).items) == 1
    # The client sends no resourceVersion.
    api.update_seldon_deployment(NAME, NAMESPACE, deployment("2"))
    stale = deployment("3")
    stale["metadata"]["resourceVersion"] = "1"
    refused(lambda: api.update_seldon_deployment(NAME, NAMESPACE, stale), 409)
    for kind, detectors_api in (("drift", DriftDetectorApi), ("outlier", OutlierDetectorApi)):
        detectors(detectors_api(client), kind)
    api.delete_seldon_deployment(NAME, NAMESPACE)
    refused(lambda: api.read_seldon_deployment(NAME, NAMESPACE), 400, 404)
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
