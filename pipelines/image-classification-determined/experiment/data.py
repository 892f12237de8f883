"""Copies the commit's files from Pachyderm, a folder for each class."""

import os
import pathlib

import python_pachyderm


def fetch(config, folder: pathlib.Path):
    """`config` is the experiment's `data`, as `train` fills it in."""
    place = config["pachyderm"]
    token = config.get("secrets", {}).get("pachyderm_token")
    client = python_pachyderm.Client(
        host=place["host"], port=int(place["port"]), auth_token=token
    )
    commit = (place["repo"], place["branch"])
    for info in client.walk_file(commit, "/"):
        path = info.file.path.lstrip("/")
        if not path or path.endswith("/"):
            continue
        target = folder / path
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(target.name + ".partial")
        with aside.open("wb") as out:
            out.write(client.get_file(commit, info.file.path).read())
        os.replace(aside, target)
