"""Pictures behind mlserver."""

import os

from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceResponse
from pictures import Pictures


class Classifier(MLModel):
    async def load(self):
        self.pictures = Pictures(os.environ["PACKAGE"], "model", int(os.environ["THREADS"]))
        return True

    async def predict(self, request):
        given = request.inputs[0]
        if given.datatype == "BYTES":
            prepared = self.pictures.decoded(Base64Codec.decode_input(given)[0])
        else:
            prepared = self.pictures.pixels(NumpyCodec.decode_input(given))
        output = NumpyCodec.encode_output("probabilities", self.pictures.run(prepared))
        return InferenceResponse(model_name=self.name, outputs=[output])
