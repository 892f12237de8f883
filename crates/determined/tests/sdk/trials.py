"""Reports to the mock master as training code with the Python SDK does.

Arguments: `task`, in the environment of a task; or `detached`, with DET_MASTER and a
user in it. Then the directory of the checkpoint storage.
"""

import sys

from determined import _info, core
from determined.experimental import core_v2

way, storage = sys.argv[1], sys.argv[2]


def train(context):
    assert not context.preempt.should_preempt()
    context.train.set_status("training")
    context.train.report_training_metrics(steps_completed=1, metrics={"loss": 0.5})
    metrics = {"accuracy": 0.91, "bad": float("nan")}
    context.train.report_validation_metrics(steps_completed=1, metrics=metrics)
    with context.checkpoint.store_path({"steps_completed": 1}) as (path, uuid):
        (path / "model.onnx").write_bytes(b"graph")
    context.train.report_progress(1.0)
    return uuid


if way == "task":
    # What is written to files before the entrypoint starts.
    info = _info.ClusterInfo._from_env()
    info._trial_info = _info.TrialInfo._from_env()
    info._rendezvous_info = _info.RendezvousInfo(["127.0.0.1"], 0, [0])
    info._resources_info = _info.ResourcesInfo([])
    _info._info = info
    config = info.trial._config["checkpoint_storage"]
    with core.init(
        checkpoint_storage=config["container_path"],
        tensorboard_mode=core.TensorboardMode.MANUAL,
    ) as context:
        print("checkpoint", train(context))
else:
    core_v2.init(
        defaults=core_v2.DefaultConfig(
            name="iris",
            labels=["job-2"],
            searcher={"name": "single", "metric": "accuracy", "smaller_is_better": False},
        ),
        checkpoint_storage=storage,
        tensorboard_mode=core.TensorboardMode.MANUAL,
        unmanaged=core_v2.UnmanagedConfig(
            external_experiment_id="job-2", external_trial_id="job-2"
        ),
    )
    print("checkpoint", train(core_v2))
    core_v2.close()
