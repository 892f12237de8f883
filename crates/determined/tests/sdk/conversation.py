"""Talks to the mock master as users of the Python SDK do.

Arguments: the master's URL, a directory to submit, a directory to download into.
Every assertion is on what the SDK itself understood.
"""

import pathlib
import sys

from determined.common.api import errors
from determined.experimental import client as det

master, code, target = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
config = {
    "name": "dogcat_single",
    "entrypoint": "python3 train.py",
    "labels": ["dogs-and-cats", "job-1", "dogs-and-cats-model"],
    "searcher": {"name": "single", "metric": "accuracy", "smaller_is_better": False},
}

try:
    det.Determined(master=master, user="determined", password="wrong")
    sys.exit("a wrong password was accepted")
except errors.UnauthenticatedException:
    pass
session = det.Determined(master=master, user="determined", password="Sup3rSecret")

# Create, wait, logs.
experiment = session.create_experiment(config, code)
assert experiment.wait(interval=0.01) == det.ExperimentState.COMPLETED
lines = list(experiment.await_first_trial(interval=0.01).iter_logs(follow=True))
assert [line.split("|| ")[1] for line in lines] == ["epoch 1\n", "epoch 2\n"], lines

# The best checkpoint, by the searcher and by a metric's name.
listed = experiment.list_checkpoints()
best = experiment.list_checkpoints(max_results=1)[0]
assert len(listed) == 2 and best.metadata["steps_completed"] == 100, best.metadata
by_name = experiment.list_checkpoints(
    sort_by="accuracy", order_by=det.OrderBy.DESC, max_results=2
)
assert [c.metadata["steps_completed"] for c in by_name] == [100, 50]
assert int(session.get_checkpoint(best.uuid).resources["model.onnx"]) == 11

# The registry.
try:
    session.get_model("dogs-and-cats")
    sys.exit("a model that does not exist was found")
except errors.NotFoundException:
    pass
model = session.create_model("dogs-and-cats", labels=["a"], metadata={"pipeline": "p"})
try:
    session.create_model("dogs-and-cats")
    sys.exit("a model was created twice")
except errors.APIException as error:
    assert "avoid names equal" in str(error), error
assert model.get_version() is None
version = model.register_version(best.uuid)
version.set_name("job-1")
version.set_notes("Job_id/commit_id = job-1")
for _ in range(3):
    model.register_version(best.uuid)
assert model.get_version().model_version == 4
assert model.get_version(1).name == "job-1"
assert sorted(v.model_version for v in model.list_versions()) == [1, 2, 3, 4]
assert [m.name for m in session.list_models(name="DOGS")] == ["dogs-and-cats"]

# Download through the master, as the storage is not here.
best.download(path=str(target))
assert (target / "model.onnx").read_bytes() == b"not a graph"
assert (target / "code" / "model_def.py").read_bytes() == b"print(1)\n"

# Labels, cancel, kill, errors.
found = session.list_experiments(labels=["job-1", "dogs-and-cats"])
assert [e.id for e in found] == [experiment.id]
second = session.create_experiment(config, code)
second.cancel()
assert second.wait(interval=0.01) == det.ExperimentState.CANCELED
second.kill()
try:
    session.get_experiment(999)
    sys.exit("an experiment that does not exist was found")
except errors.NotFoundException:
    pass
try:
    session.create_experiment({**config, "resouces": {}}, code)
    sys.exit("an invalid configuration was accepted")
except errors.APIException as error:
    assert "resouces" in str(error), error
session.logout()
print("the SDK understood everything")
