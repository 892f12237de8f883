"""Pictures behind seldon-core's wrapper."""

import os

from pictures import Pictures


class Classifier:
    def load(self):
        # Called in each worker: a session does not survive a fork.
        self.pictures = Pictures(os.environ["PACKAGE"], "model", int(os.environ["THREADS"]))

    def predict(self, X, features_names=None):
        take = self.pictures.decoded if isinstance(X, bytes) else self.pictures.pixels
        return self.pictures.run(take(X))
